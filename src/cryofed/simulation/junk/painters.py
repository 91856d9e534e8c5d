"""The junk that real classifications hold: one painter per kind, and the reason that each stands for."""

from __future__ import annotations

from collections.abc import Callable

from cryofed.scoring.reasons import REASONS
from cryofed.simulation.imaging.projection import Image
from cryofed.simulation.junk import noise, objects, particles
from cryofed.simulation.scene import RANDOM, Scene

Painter = Callable[[Scene, RANDOM], Image]
NOISE, ICE, EDGE, CENTRE, BLUR, BROKEN, FEW = range(len(REASONS))

PAINTERS: dict[str, tuple[Painter, int]] = {  # kind: painter, index into REASONS
    "noise": (noise.noise, NOISE),
    "speckle": (noise.speckle, NOISE),
    "clump": (noise.clump, NOISE),
    "aligned noise": (noise.self_aligned, NOISE),
    "streaks": (noise.ray, NOISE),
    "rings": (noise.ring, NOISE),
    "disc": (objects.disc, ICE),
    "ice": (objects.ice, ICE),
    "smear": (objects.smear, ICE),
    "blob": (objects.lump, ICE),
    "carbon": (objects.carbon, EDGE),
    "bright edge": (objects.bright_edge, EDGE),
    "edge and blob": (objects.edge_and_blob, EDGE),
    "corner": (particles.corner, EDGE),
    "off centre": (particles.off_centre, CENTRE),
    "blurred": (particles.blurred, BLUR),
    "fuzzy ball": (particles.fuzzy_ball, BLUR),
    "soft view": (particles.soft_view, BLUR),
    "aggregate": (particles.aggregate, BROKEN),
    "broken": (particles.broken, BROKEN),
    "denatured": (particles.denatured, BROKEN),
    "mixture": (particles.mixture, BROKEN),
}

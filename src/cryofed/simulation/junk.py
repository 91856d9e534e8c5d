"""The junk that real classifications hold: one painter per kind, and the reason that each stands for."""

from __future__ import annotations

from collections.abc import Callable

from cryofed.scoring.reasons import REASONS
from cryofed.simulation import junk_noise, junk_objects, junk_particles
from cryofed.simulation.projection import Image
from cryofed.simulation.scene import RANDOM, Scene

Painter = Callable[[Scene, RANDOM], Image]
NOISE, ICE, EDGE, CENTRE, BLUR, BROKEN, FEW = range(len(REASONS))

PAINTERS: dict[str, tuple[Painter, int]] = {  # kind: painter, index into REASONS
    "noise": (junk_noise.noise, NOISE),
    "speckle": (junk_noise.speckle, NOISE),
    "clump": (junk_noise.clump, NOISE),
    "aligned noise": (junk_noise.self_aligned, NOISE),
    "streaks": (junk_noise.ray, NOISE),
    "rings": (junk_noise.ring, NOISE),
    "disc": (junk_objects.disc, ICE),
    "ice": (junk_objects.ice, ICE),
    "smear": (junk_objects.smear, ICE),
    "blob": (junk_objects.lump, ICE),
    "carbon": (junk_objects.carbon, EDGE),
    "bright edge": (junk_objects.bright_edge, EDGE),
    "edge and blob": (junk_objects.edge_and_blob, EDGE),
    "corner": (junk_particles.corner, EDGE),
    "off centre": (junk_particles.off_centre, CENTRE),
    "blurred": (junk_particles.blurred, BLUR),
    "fuzzy ball": (junk_particles.fuzzy_ball, BLUR),
    "soft view": (junk_particles.soft_view, BLUR),
    "aggregate": (junk_particles.aggregate, BROKEN),
    "broken": (junk_particles.broken, BROKEN),
    "denatured": (junk_particles.denatured, BROKEN),
    "mixture": (junk_particles.mixture, BROKEN),
}

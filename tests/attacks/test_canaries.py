"""Canaries in a library: no name, path, word or picture of it is in anything that leaves the site."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from cryofed.federation.aggregator.campaign import run_campaign
from cryofed.federation.agreement.plan import EnrolledSite, GateRules, LocalTraining, Plan, RoundRules
from cryofed.federation.engines.embedded.carrier import InlineCarrier
from cryofed.federation.releases.store import first_release
from cryofed.federation.site.answering import LibraryFile, Site, answer
from cryofed.federation.wire.orders import Answer
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.learning.learner import initial_vector
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.scoring.calibration import UNKNOWN

BIRD = "canary-7f3a"
NAMES = ("north", "south")
WINDOW = 16  # bytes of a picture that would give it away


def nest(path: Path, seed: int) -> Path:
    """A library in whose every name, path and word a canary sits."""
    path.parent.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    good = np.arange(24) % 2 == 0
    with Library(path, create=True) as made:
        for number in range(4):
            averages = rng.normal(size=(24, 64, 64)) + good[:, None, None] * np.exp(-(x**2 + y**2) / 128)
            job = ClassJob(
                program="images",
                path=Path(f"/data/{BIRD}-path/job{number}"),
                name=f"{BIRD}-job{number}",
                averages=averages.astype(np.float32),
                classes=ClassTable.unknown(24),
            )
            said = Labelling(
                habit="binary",
                source=f"{BIRD}-source",
                made_at="2026-01-01T00:00:00+00:00",
                values=good.astype(np.float32),
            )
            made.add(job, f"{BIRD}-project{number}", [said])
    return path


class Tapped(InlineCarrier):
    """Keeps all that a site answers."""

    def answer(self, timeout_s: float) -> Answer | None:
        given = super().answer(timeout_s)
        if given is not None:
            sent.append((given.site, bytes(given.data), given.failure))
        return given


sent: list[tuple[str, bytes, str]] = []


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A whole campaign: rounds, a site that fails, gate, statistics, cross-site matrix, release."""
    top = tmp_path_factory.mktemp(BIRD)
    libraries = {name: nest(top / f"{BIRD}-{name}/library.db", seed) for seed, name in enumerate(NAMES)}
    plan = Plan(
        name="birds",
        rounds=RoundRules(count=1, retries=0),
        training=LocalTraining(steps=2, batch=24),
        gate=GateRules(cross_site=True),
        sites=tuple(EnrolledSite(name=name) for name in (*NAMES, "west")),
    )
    sites = {
        name: Site(name=name, source=LibraryFile(path), folder=top / name) for name, path in libraries.items()
    }
    sites["west"] = Site(name="west", source=LibraryFile(top / f"{BIRD}-lost.db"), folder=top / "west")
    sent.clear()
    home = top / "home"
    first_release(home / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    run_campaign(home, plan, Tapped(plan, sites, answer))
    return home, libraries


def forms(data: bytes) -> Iterator[bytes]:
    """As it was sent, and unpacked where it was packed."""
    yield data
    for at in range(min(len(data), 4000)):
        if data[at : at + 2] in (b"\x78\x9c", b"\x78\xda", b"\x78\x01", b"\x1f\x8b"):
            for unpack in (zlib.decompress, gzip.decompress):
                try:
                    yield unpack(data[at:])
                except (OSError, EOFError, zlib.error):
                    continue


def windows(libraries: Sequence[Path]) -> set[bytes]:
    """Bytes of every picture, in each form in which a site has it."""
    found = set()
    for path in libraries:
        for images in (LibraryFile(path).labelled(None).images, LibraryFile(path).labelled(None).features):
            for kind in ("<f2", "<f4", "<f8"):
                for row in images.reshape(len(images), -1).astype(kind):
                    if np.isfinite(row).any():
                        raw = row.tobytes()
                        found |= {raw[at : at + WINDOW] for at in range(0, len(raw) - WINDOW, 512)}
    return {one for one in found if len(set(one)) > 4}


def test_no_name_path_or_word_of_the_library_leaves(campaign: tuple[Path, dict[str, Path]]) -> None:
    assert {site for site, _, _ in sent} == {*NAMES, "west"}
    for site, data, failure in sent:
        for form in forms(data):
            assert BIRD.encode() not in form, site
            assert b"/data/" not in form
            assert b"Traceback" not in form
        assert BIRD not in failure
    assert "site_error" in {failure for _, _, failure in sent}  # west's error names its path at home alone
    assert BIRD in (campaign[0].parent / "west/site.log").read_text()


def test_no_piece_of_a_picture_leaves(campaign: tuple[Path, dict[str, Path]]) -> None:
    secret = windows(list(campaign[1].values()))
    assert len(secret) > 1000
    for _, data, _ in sent:
        pieces = {data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)}
        assert not pieces & secret


def test_nothing_of_a_library_is_in_the_federations_own_files(campaign: tuple[Path, dict[str, Path]]) -> None:
    """Releases, reports, gate and statistics are what the other sites and the monitor see."""
    files = [path for path in campaign[0].rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert BIRD.encode() not in path.read_bytes(), path


def test_the_tap_would_see_a_canary(campaign: tuple[Path, dict[str, Path]]) -> None:
    leak = json.dumps({"x": f"{BIRD}-job0"}).encode()
    assert any(BIRD.encode() in form for form in forms(b"head" + zlib.compress(leak)))

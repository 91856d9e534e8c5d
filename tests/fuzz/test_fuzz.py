"""Ten thousand damaged files: each is read, or refused in one line; no traceback, no hang, no large memory.

`make fuzz` runs more. An input is its seed: what once failed is in `KEPT` and is tried first.
"""

import os
import random
import resource
import shutil
import signal
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from cryofed.cli.main import main
from cryofed.errors import CryoFedError
from cryofed.jobs.opening import open_job
from cryofed.jobs.programs import program
from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import harvest
from cryofed.selection.policy import Selection
from cryofed.web.review.of_job import open_review

INPUTS = int(os.environ.get("CRYOFED_FUZZ", "10000"))
FIRST = int(os.environ.get("CRYOFED_FUZZ_SEED", "0"))
KEPT: list[tuple[int, str]] = [(6382, "run_it025_model.star")]  # seeds that once failed, and what they damage
LONGEST_S, MOST_BYTES = 10, 1 << 30
WHOLE = 50  # every 50th input goes through the whole command, the others through its files only
WORDS = [b'"', b"'", b"#", b"\r\n", b"\n\n", b" ", b"\t", b"data_", b"\nloop_\n", b"_rlnClassNumber", b"\xff"]
WORDS += [b"\0", b"nan", b"inf", b"1e999", b"-1", b"0", b"99999999999", b"@", b";", b"(" * 300, b"9" * 5000]
EXTREMES = [0, 1, -1, 2**31 - 1, -(2**31), 2**16, 10**9, 0x11111111]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to four changes, as a broken disk, a bad copy, an editor or an enemy makes them."""
    raw = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw) + 1) if rng.random() < 0.5 else rng.randrange(min(len(raw), 1100) + 1)
        length = rng.choice([1, 2, 4, 16, 200, 3000])
        change = rng.randrange(8)
        if change == 0 and at < len(raw):
            raw[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            del raw[at : at + length]
        elif change == 2:
            raw[at:at] = raw[at : at + length]
        elif change == 3:
            raw[at:at] = rng.choice(WORDS)
        elif change == 4:
            raw[at : at + 4] = (rng.choice(EXTREMES) & 0xFFFFFFFF).to_bytes(4, rng.choice(["little", "big"]))
        elif change == 5:
            del raw[at:]
        elif change == 6:
            raw[at : at + length] = rng.randbytes(min(length, 16))
        else:
            raw[at : at + 1] = rng.choice(WORDS)
    return bytes(raw)


@dataclass(frozen=True)
class Target:
    """One file that is damaged, what holds it, and what is done with it."""

    file: Path
    content: bytes
    place: Path
    use: Callable[[Path, bool], object]


def reading(place: Path, whole: bool) -> None:
    """What `select` does: read, decide, write; the whole command now and then."""
    out = place.with_name("out")
    if whole:
        # 0 done, 1 refused in one line
        assert main(["select", str(place), "--force", "--out", str(out)]) in (0, 1)
    else:
        job = open_job(place)
        n = len(job.classes)
        nothing = np.zeros(n)
        out.mkdir()
        every_second = Selection(
            kept=np.arange(n) % 2 == 0, score=nothing, reason=("",) * n, unsure=nothing > 0,
            view=np.zeros(n, np.int64), cut=0.5,
        )  # fmt: skip
        program(job.program).writer.write(job, every_second, out, out)
    shutil.rmtree(out, ignore_errors=True)


def reviewing(place: Path, _whole: bool) -> None:
    open_review(open_job(place), out=None, library=None, model=None, say=lambda _: None)


def harvesting(place: Path, _whole: bool) -> None:
    """What a harvest of a project does: nothing may end it."""
    for outcome in harvest(walk.find([place]), None, keep=False):
        assert outcome.what in ("used", "skipped")


@pytest.fixture
def targets(
    tmp_path: Path,
    make_relion: Callable[..., Path],
    make_cryosparc: Callable[..., Path],
    make_mrc: Callable[..., Path],
    make_blobs: Callable[..., np.ndarray],
) -> list[Target]:
    images = make_blobs(3, 16)
    project = tmp_path / "project"
    relion = make_relion(project / "Class2D/job012", images, [12, 0, 11])
    pipeline = "\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 9\n"
    (project / "default_pipeline.star").write_text(pipeline)
    select = project / "Select/job013"
    select.mkdir(parents=True)
    (select / "job.star").write_text(
        "\ndata_job\n\n_rlnJobTypeLabel relion.select.interactive\n\ndata_joboptions_values\n\nloop_\n"
        "_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\n"
        "fn_model Class2D/job012/run_it025_optimiser.star\n\n"
    )
    (select / "backup_selection.star").write_text("\ndata_\n\nloop_\n_rlnSelected #1\n1\n0\n0\n\n")
    cryosparc = make_cryosparc(tmp_path / "P3/J12", images, [12, 0, 11])
    (cryosparc / "job.json").write_text('{"params_spec": {"class2D_window_inner_A": {"value": 90}}}')
    (tmp_path / "mrc").mkdir()
    stacks = [make_mrc(tmp_path / "mrc/a.mrcs", images)]
    for name in ("a.tif", "a.hdf", "a.png"):
        (tmp_path / name[2:]).mkdir()
        stacks.append(tmp_path / name[2:] / name)
    tifffile.imwrite(stacks[1], images, photometric="minisblack")
    with h5py.File(stacks[2], "w") as file:
        for n, image in enumerate(images):
            file[f"MDF/images/{n}/image"] = image
    for n, image in enumerate(images):
        Image.fromarray(np.uint8(np.clip(image * 50 + 60, 0, 255))).save(stacks[3].with_name(f"{n}.png"))
    damaged = [(f, relion, reading) for f in sorted(relion.iterdir())]
    damaged += [(f, relion, reviewing) for f in sorted(relion.iterdir()) if f.suffix == ".star"]
    damaged += [(f, cryosparc, reading) for f in sorted(cryosparc.iterdir()) if "000" not in f.name]
    damaged += [(f, f, reading) for f in stacks[:3]]
    damaged += [(stacks[3].with_name("1.png"), stacks[3].parent, reading)]
    damaged += [(f, project, harvesting) for f in [*relion.iterdir(), *select.iterdir()]]
    damaged += [(f, place, reading) for f, place in other_programs(tmp_path / "others", images, make_mrc)]
    return [Target(f, f.read_bytes(), place, use) for f, place, use in damaged]


def other_programs(
    folder: Path, images: np.ndarray, make_mrc: Callable[..., Path]
) -> Iterator[tuple[Path, Path]]:
    """Jobs of cisTEM, SIMPLE and EMAN2: each file that they read, and the job that it belongs to."""
    cistem, simple, eman2 = (folder / name for name in ("cistem", "simple", "eman2"))
    for place in (cistem / "Assets/ClassAverages", simple, eman2):
        place.mkdir(parents=True)
    with closing(sqlite3.connect(cistem / "project.db")) as sql, sql:
        sql.execute("CREATE TABLE CLASSIFICATION_LIST (CLASSIFICATION_ID, NUMBER_OF_CLASSES, MASK_RADIUS)")
        sql.execute("INSERT INTO CLASSIFICATION_LIST VALUES (1, 3, 40.0)")
        sql.execute("CREATE TABLE CLASSIFICATION_RESULT_1 (POSITION_IN_STACK, BEST_CLASS)")
        sql.executemany("INSERT INTO CLASSIFICATION_RESULT_1 VALUES (?, ?)", enumerate([1] * 12 + [3] * 11))
    yield cistem / "project.db", cistem
    yield make_mrc(cistem / "Assets/ClassAverages/class_averages_0001.mrc", images), cistem
    clusters = "".join(f"{i}@cavgs_iter030.mrc 9.5 {10 * i}\n" for i in (1, 2, 3))
    head = "data_clusters\n\nloop_\n_rlnReferenceImage\n_rlnEstimatedResolution\n_rlnClassDistribution\n"
    (simple / "clusters2D.star").write_text(head + clusters + "\n")
    rows = "".join(f"{i}@p.mrcs {1 + i % 3}\n" for i in range(30))
    head = "data_particles\n\nloop_\n_rlnImageName\n_rlnClassNumber\n"
    (simple / "particles2D.star").write_text(head + rows + "\n")
    make_mrc(simple / "cavgs_iter030.mrc", images)
    yield from ((file, simple) for file in sorted(simple.iterdir()))
    with h5py.File(eman2 / "classes_04.hdf", "w") as file:
        for n, image in enumerate(images):
            file[f"MDF/images/{n}/image"] = image
            file[f"MDF/images/{n}"].attrs["EMAN.ptcl_repr"] = 10 + n
    yield eman2 / "classes_04.hdf", eman2
    (eman2 / "good.lst").write_text("#LSX\n# a comment\n# 24\n2\tclasses_04.hdf\n0\tclasses_04.hdf\n")
    yield eman2 / "good.lst", eman2 / "good.lst"


@contextmanager
def watched() -> Iterator[None]:
    """Raise `TimeoutError` in whatever computes for over 10 s, however busy the machine is."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.timeout(0)  # each input has its own limit
def test_damaged_files_are_read_or_refused_in_one_line(
    targets: list[Target], capsys: pytest.CaptureFixture[str]
) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, refused = [], 0
    kept = [(seed, next(t for t in targets if t.file.name == name)) for seed, name in KEPT]
    new = ((seed, targets[seed % len(targets)]) for seed in range(FIRST, FIRST + INPUTS))
    for seed, target in chain(kept, new):
        rng = random.Random(seed)
        target.file.write_bytes(mutated(target.content, rng))
        try:
            with watched(), warnings.catch_warnings():
                warnings.simplefilter("error")
                target.use(target.place, seed // len(targets) % WHOLE == 0)
        except CryoFedError as error:
            refused += 1
            if "\n" in str(error) or "pickle" in str(error):
                wrong.append((seed, target.file.name, str(error)))
        except BaseException as error:  # a bare exit or a panic of a library counts too
            wrong.append((seed, target.file.name, f"{type(error).__name__}: {error}"[:200]))
        finally:
            target.file.write_bytes(target.content)
            shutil.rmtree(target.place.with_name("out"), ignore_errors=True)
    told = capsys.readouterr().err.splitlines()
    words = ("error: ", "note: ", "read ", "wrote ", "warning: ")
    assert [line for line in told if not line.startswith(words)] == []
    assert not wrong, f"{len(wrong)} of {INPUTS}: {wrong[:12]}"
    assert refused > INPUTS / 10  # the changes do break files
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < MOST_BYTES

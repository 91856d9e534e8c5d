"""`python -m cryofed.learning.make_release --out DIR` makes the shipped model again, from a seed.

It simulates the corpus (kept in shards), trains, fits the calibration on jobs of molecules that were not
trained on, measures it on still other ones, and writes the model with its card. Each part goes on where it
was stopped. Nothing but simulation is read.
"""

from __future__ import annotations

import argparse
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from cryofed import __version__
from cryofed.learning.calibrate import Answered, answers, fit_calibration
from cryofed.learning.corpus import make_shards, read_shards
from cryofed.learning.export import read_vector, write_model
from cryofed.learning.metrics import auc, brier, calibration_error
from cryofed.learning.mixture import Mixture, Part
from cryofed.learning.release import ReleaseSettings, train_release
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration, sigmoid

SETTLED = (0.38, 0.62)  # between these an expert could go either way


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Which simulated jobs serve for what. Training, fitting and testing share no molecule."""

    seed: int = 101
    jobs: int = 1800
    fitting_jobs: int = 200  # of seed + 1, for slope and offset
    test_jobs: int = 50  # of seed + 2


def make_corpus(folder: Path, corpus: Corpus, workers: int) -> tuple[Labelled, Labelled, Labelled]:
    """The labelled averages to train on, to fit the calibration on, and to test on."""
    parts = []
    counts = (corpus.jobs, corpus.fitting_jobs, corpus.test_jobs)
    with Progress(console=Console(stderr=True)) as bar:
        for index, jobs in enumerate(counts):
            task = bar.add_task(f"simulating {('training', 'fitting', 'test')[index]} jobs", total=jobs)
            for done in make_shards(folder, jobs, corpus.seed + index, workers):
                bar.update(task, completed=done)
            parts.append(read_shards(folder, jobs, corpus.seed + index))
    return parts[0], parts[1], parts[2]


def measured(calibration: Calibration, jobs: list[Answered], targets: list[np.ndarray[Any, Any]]) -> Any:
    """AUC, Brier score and calibration error over jobs on one scale."""
    score = np.concatenate(
        [
            sigmoid(calibration.slope * (j.logits + calibration.sharpness * j.sharper) + calibration.offset)
            for j in jobs
        ]
    )
    good = np.concatenate([j.good for j in jobs])
    target = np.concatenate(targets)
    settled = (target < SETTLED[0]) | (target > SETTLED[1])
    return {
        "jobs": len(jobs),
        "averages": len(score),
        "auc": round(auc(score, good), 4),
        "auc_without_borderline": round(auc(score[settled], good[settled]), 4),
        "brier": round(brier(score, good), 4),
        "calibration_error": round(calibration_error(score, good), 4),
    }


def main() -> None:
    """Parse the options and do it all."""
    options = _options()
    torch.set_num_threads(options.threads)
    corpus = Corpus(seed=options.corpus_seed, jobs=options.jobs)
    training, fitting, test = make_corpus(options.shards or options.out / "shards", corpus, options.workers)
    settings = ReleaseSettings(
        seed=options.seed, steps=options.steps, learning_rate=options.learning_rate, stop=options.stop
    )
    begin = read_vector(options.begin) if options.begin else None
    started = time.monotonic()
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=settings.steps)

        def tell(step: int, loss: float) -> None:
            bar.update(task, completed=step, description=f"training, loss {loss:.3f}")

        mixture = Mixture.of([Part(labelled=training, share=1.0, by_job=False)])
        vector = train_release(mixture, settings, options.out / "checkpoint.safetensors", tell, begin)
    minutes = (time.monotonic() - started) / 60
    # Nobody knows how its logits lie in real jobs, so that each class is judged by itself.
    calibration = replace(fit_calibration(answers(vector, fitting)), jobs=None)
    card = _card(corpus, settings, training, minutes)
    targets = [test.target[test.job == job] for job in np.unique(test.job)]
    card["metrics_simulated"] = measured(calibration, list(answers(vector, test)), targets)
    write_model(options.out, vector, calibration, card)
    print(card["metrics_simulated"])


def _card(corpus: Corpus, settings: ReleaseSettings, training: Labelled, minutes: float) -> dict[str, Any]:
    return {
        "name": "cryofed class average scorer",
        "code_version": __version__,
        "corpus": {
            **asdict(corpus),
            "averages": len(training),
            "good_share": round(float(training.good.mean()), 3),
            "source": "cryofed.simulation only; no real and no downloaded data",
        },
        "training": {
            **asdict(settings),
            "views": (settings.stop or settings.steps) * settings.batch,
            "minutes": round(minutes, 1),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
            "torch": torch.__version__,
        },
        "reproduce": f"python -m cryofed.learning.make_release --out DIR --steps {settings.steps}"
        f" --seed {settings.seed} --corpus-seed {corpus.seed} --threads {torch.get_num_threads()}",
        "intended_use": "to sort and pre-select the 2D class averages of single-particle cryo-EM",
        "limits": [
            "a score is not a resolution and says nothing about a structure",
            "junk that looks like a whole, sharp, centred particle (another protein, say) is kept",
            "averages of under 10 particles are not scored",
            "tomography, 2D crystals and micrographs were never shown",
        ],
        "must_not_be_used_for": [
            "deciding alone what is deleted: particles of rejected classes should be kept on disk",
            "judging people, laboratories or instruments",
            "diagnosis or any clinical decision",
        ],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cryofed.learning.make_release", description=__doc__)
    corpus, training = Corpus(), ReleaseSettings()
    parser.add_argument("--out", type=Path, required=True, help="folder of the model and its checkpoint")
    parser.add_argument("--shards", type=Path, help="folder of the corpus (default: OUT/shards)")
    parser.add_argument("--jobs", type=int, default=corpus.jobs, help="simulated jobs to train on")
    parser.add_argument("--corpus-seed", type=int, default=corpus.seed)
    parser.add_argument("--seed", type=int, default=training.seed, help="of weights, batches, views")
    parser.add_argument("--steps", type=int, default=training.steps)
    parser.add_argument("--stop", type=int, default=training.stop, help="end after this step of --steps")
    parser.add_argument("--learning-rate", type=float, default=training.learning_rate)
    parser.add_argument("--begin", type=Path, help="weights.safetensors to start from")
    parser.add_argument("--workers", type=int, default=2, help="processes that simulate")
    parser.add_argument("--threads", type=int, default=1, help="threads that train; the bits depend on it")
    return parser.parse_args()


if __name__ == "__main__":
    main()

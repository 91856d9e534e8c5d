"""What a program may do with CryoFed: each function is one command of the command line, without its printing.

Import these names from `cryofed` itself. Nothing heavy is imported before a function is called, and PyTorch
only by `train` and `run_plan`. What a user can mend raises `CryoFedError` with the file, the field, what was
found and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.scoring.named import model_folder, model_weights

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.strategies.strategy import Strategy
    from cryofed.federation.telling.comparison import Row
    from cryofed.jobs.job import ClassJob
    from cryofed.learning.local import LocalModel
    from cryofed.scoring.scorer import Scores
    from cryofed.selection.policy import Policy, Selection


def score(job: ClassJob, *, model: Path | str | None = None, device: str = "auto") -> Scores:
    """Probability in [0, 1] for each class of `job` that an expert keeps it; NaN where it is not scored.

    Args:
        job: from `open_job`.
        model: a `model.onnx`; by default the one that CryoFed ships.
        device: "auto" (CUDA where ONNX Runtime has it, else the CPU), "cpu" or "cuda".
    """
    from cryofed.scoring.scorer import score_job

    return score_job(job, Path(model) if model else None, device=device)


def select(
    job: ClassJob,
    *,
    model: Path | str | None = None,
    policy: Policy | None = None,
    device: str = "auto",
) -> Selection:
    """Which classes of `job` are kept, and why the others are not; `cryofed select` without its files.

    Args:
        job: from `open_job`.
        model: a `model.onnx`; by default the one that CryoFed ships.
        policy: the cut and what else is asked for; by default that of the command line.
        device: "auto" (CUDA where ONNX Runtime has it, else the CPU), "cpu" or "cuda".
    """
    from cryofed.scoring.scorer import score_job
    from cryofed.selection.policy import Policy, decide

    policy = policy or Policy()
    scores = score_job(job, Path(model) if model else None, policy.min_particles, device)
    return decide(job, scores, policy)


def write_selection(job: ClassJob, selection: Selection, folder: Path | str) -> list[Path]:
    """Write what the job's program continues from and `report.html`: all files or none, into a new folder.

    Returns:
        The files that were written.

    Raises:
        OutputError: `folder` holds a selection already, lies inside the job or cannot be written.
    """
    from cryofed.selection.writer import write_selection as write

    return write(job, selection, Path(folder))


def train(
    library: Path | str,
    out: Path | str,
    *,
    model: Path | str | None = None,
    seed: int = 1,
    epochs: int = 8,
    device: str = "auto",
) -> LocalModel:
    """Fine-tune a release on a site's own library; a model is written to `out` only if it is better at home.

    Args:
        library: a site's library, from `cryofed harvest`.
        out: a new folder for the model.
        model: the model to start from, its folder or a file in it; by default the one that CryoFed ships.
        seed: the same seed gives the same model on a CPU.
        epochs: how often each average is seen, 1 or more.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The trained model, its figures before and after on the held-out projects, and whether it is `better`.

    Raises:
        TrainingError: too few labels, labels of one kind only, or no held-out project.
    """
    from cryofed.learning.at_home import train_at_home

    release = model_folder(model) if model else None
    local, _ = train_at_home(
        Path(library), Path(out), release=release, seed=seed, epochs=epochs, device=device
    )
    return local


def run_plan(
    plan: Path | str,
    *,
    home: Path | str | None = None,
    model: Path | str | None = None,
    untrained: bool = False,
    device: str | None = None,
    hook: Callable[[str, Mapping[str, Any]], None] | None = None,
) -> Campaign:
    """Run the next campaign of a plan: rounds, gate, release and `report.html`; `cryofed federation run`.

    With `engine = "embedded"` all sites are on this machine, and the plan names their libraries. A plan of
    another engine needs its federation founded and its sites started. A campaign that was stopped goes on
    where it stopped. Call this under `if __name__ == "__main__":`, as all that starts processes.

    Args:
        plan: the plan's file, as `cryofed federation new` writes it.
        home: the federation's folder; by default beside the plan, named as in the plan.
        model: the first model, its folder or a file in it; by default the one that CryoFed ships.
        untrained: the first model is a fresh network, made from the plan's seed.
        device: where sites of this machine compute, "auto", "cpu", "cuda" or "mps"; None leaves it to the
            plan. The same plan gives the same bits only on the CPU.
        hook: called with the name and the facts of every event of the rounds. What it raises is a warning.

    Returns:
        The campaign: its number and folder, the gate's decision, and the release that is current afterwards.

    Raises:
        InputError: the plan, a library or `model` cannot be read, or says what cannot be.
        FederationError: the quorum was not reached; run again to resume.
        BusyError: another run holds `home`.
    """
    from cryofed.federation.running import make_ready, run_next

    ready = make_ready(
        Path(plan),
        home=Path(home) if home else None,
        device=device,
        start=model_weights(model) if model else None,
        untrained=untrained,
    )
    return run_next(ready, [hook] if hook else [])


def compare(
    plan: Path | str,
    strategies: Sequence[str | type[Strategy]],
    *,
    seeds: int = 3,
    model: Path | str | None = None,
    untrained: bool = False,
) -> list[Row]:
    """Run a plan with each strategy, over seeds, beside pooled data and each site alone; on the CPU.

    Args:
        plan: the plan's file; all its sites' libraries are on this machine.
        strategies: names of `docs/strategies.md`, or classes of your own that inherit `Strategy`.
        seeds: runs of each, 1 or more; a difference within their spread is none.
        model: the first model, its folder or a file in it; by default the one that CryoFed ships.
        untrained: the first model is a fresh network, another one with each seed.

    Returns:
        A row for each strategy: `name`, and per seed `auc` on all sites' held-out projects together, the
        same of the models beside it (`pooled`, `best_alone`, `mean_alone`), and `worst_gain`.
    """
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from cryofed.federation.agreement.plan import StrategyChoice
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.releases.first import check_start, first_model
    from cryofed.federation.strategies.registry import make_strategy, offered
    from cryofed.federation.telling.comparison import compare as run
    from cryofed.federation.telling.comparison import libraries_of

    agreed, libraries = read_plan(Path(plan)), libraries_of([Path(plan)])
    check_start(agreed, Path(plan), untrained=untrained)
    begin = first_model(model_weights(model) if model else None, untrained=untrained).vector
    own = [kind for kind in strategies if not isinstance(kind, str)]
    names = [kind if isinstance(kind, str) else kind.name for kind in strategies]
    with offered(*own), TemporaryDirectory(prefix="cryofed-compare-") as scratch:
        for name in names:
            make_strategy(name, {}, "strategies")
        plans = {name: replace(agreed, strategy=StrategyChoice(name=name)) for name in names}
        every = list(range(1, seeds + 1))
        return run(plans, libraries, every, Path(scratch), start=begin, margin=0.01, done=lambda _: None)

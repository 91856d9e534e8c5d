"""Scoring a job with ONNX Runtime."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import SHIPPED, answers, open_model, providers, score_job


def job_of(averages: np.ndarray, particles: list[int] | None = None) -> ClassJob:
    n = len(averages)
    unknown = ClassTable.unknown(n)
    table = ClassTable(
        number=unknown.number,
        particles=np.array(particles) if particles else unknown.particles,
        resolution_angstrom=unknown.resolution_angstrom,
        distribution=unknown.distribution,
        accuracy_rotation_degree=unknown.accuracy_rotation_degree,
        accuracy_translation_angstrom=unknown.accuracy_translation_angstrom,
    )
    return ClassJob(program="images", path=Path("x"), name="x", averages=averages, classes=table)


def noise(n: int = 4, box: int = 80) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, box, box)).astype(np.float32)


def test_scores_are_probabilities_and_reasons_sum_to_one() -> None:
    scores = score_job(job_of(noise()))
    assert scores.score.shape == (4,)
    assert ((scores.score >= 0) & (scores.score <= 1)).all()
    assert scores.reasons.shape == (4, len(REASONS))
    np.testing.assert_allclose(scores.reasons.sum(axis=1), 1)


def test_the_doubt_of_a_job_is_that_of_the_models_calibration() -> None:
    job, model = job_of(noise(6)), open_model(SHIPPED)
    logits, _, looked = answers(model, job, np.ones(6, bool))
    assert score_job(job).doubt == model.calibration.judged(logits[:, 0], looked).doubt > 0
    assert score_job(job_of(np.ones((3, 80, 80), np.float32))).doubt == 0  # nothing is scored


def test_flat_unreadable_and_tiny_classes_are_not_scored() -> None:
    averages = noise()
    averages[0] = 3.0
    averages[1, 5, 5] = np.nan
    scores = score_job(job_of(averages, particles=[500, 500, 9, 10]))
    assert np.isnan(scores.score).tolist() == [True, True, True, False]
    assert not scores.unsure[:3].any()
    assert scores.pooled.shape == (4, 192)  # mean and largest of the trunk's 96 channels
    assert np.isfinite(scores.pooled).all(axis=1).tolist() == [False, False, False, True]


def test_a_linear_grey_scale_does_not_change_scores() -> None:
    averages = noise()
    scaled = score_job(job_of(1000 * averages + 50))  # exact but for float32's rounding
    np.testing.assert_allclose(scaled.score, score_job(job_of(averages)).score, atol=1e-3)


def test_scoring_never_imports_torch() -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path;"
        "from cryofed.jobs.job import ClassJob, ClassTable; from cryofed.scoring.scorer import score_job;"
        "a = np.random.default_rng(0).normal(size=(2, 64, 64)).astype('f');"
        "score_job(ClassJob(program='images', path=Path('x'), name='x', averages=a,"
        " classes=ClassTable.unknown(2)));"
        "print([m for m in ('torch', 'scipy', 'onnx', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_missing_or_damaged_model_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a readable ONNX model"):
        score_job(job_of(noise()), damaged)
    with pytest.raises(InputError, match="no such file"):
        score_job(job_of(noise()), tmp_path / "none.onnx")


@pytest.mark.parametrize(
    "said",
    [
        "{}x",
        "[1]",
        '{"slope": 1, "tilt": 2}',
        '{"jobs": {"bad": 1.0, "good": 0.0, "spread": 1.0, "between": 1.0}}',
        '{"jobs": {"spread": 0.0}}',
        '{"jobs": {"between": NaN}}',
        '{"jobs": 5}',
        '{"unsure": 5}',
        '{"slope": "steep"}',
        '{"offset": Infinity}',
    ],
)
def test_a_calibration_that_cannot_be_is_one_line(tmp_path: Path, said: str) -> None:
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(SHIPPED)
    for note in proto.metadata_props:
        if note.key == "cryofed.calibration":
            note.value = said
    onnx.save(proto, tmp_path / "model.onnx")
    with pytest.raises(InputError, match="calibration: damaged or missing; copy the file again"):
        score_job(job_of(np.random.default_rng(0).normal(size=(3, 64, 64))), tmp_path / "model.onnx")


def test_auto_scores_on_cuda_where_onnx_runtime_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, cpu = "CUDAExecutionProvider", "CPUExecutionProvider"
    for present, device, expected in (
        ([cpu], "auto", [cpu]),
        ([cpu], "cpu", [cpu]),
        ([cuda, cpu], "auto", [cuda, cpu]),
        ([cuda, cpu], "cuda", [cuda, cpu]),
        ([cuda, cpu], "cpu", [cpu]),
    ):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda answer=present: answer)
        assert providers(device) == expected


def test_a_card_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="device: cuda: this ONNX Runtime has none; use 'auto', or install"):
        score_job(job_of(noise()), device="cuda")
    with pytest.raises(InputError, match="device: name: found 'mps'; use one of auto, cpu, cuda"):
        score_job(job_of(noise()), device="mps")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_card_that_is_built_in_but_does_not_load_leaves_the_cpu_to_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = [
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]  # as onnxruntime-gpu says without libraries
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built)
    model = Path(shutil.copy(SHIPPED, tmp_path))
    expected = score_job(job_of(noise()), device="cpu").score
    np.testing.assert_array_equal(score_job(job_of(noise()), model).score, expected)
    with pytest.raises(InputError, match="device: cuda: ONNX Runtime cannot use it on this machine"):
        score_job(job_of(noise()), model, device="cuda")

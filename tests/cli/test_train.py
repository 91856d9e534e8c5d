"""`cryofed train`: what it says of the model that it wrote can be done."""

import shlex
import shutil
from pathlib import Path

from cryofed.cli.main import main
from cryofed.cli.train import use
from cryofed.scoring.scorer import SHIPPED


def test_the_command_that_it_names_selects_with_a_model_that_nobody_signed(
    relion_job: Path, tmp_path: Path
) -> None:
    model = tmp_path / "our model"
    model.mkdir()
    for name in ("model.onnx", "card.json"):
        shutil.copy(SHIPPED.with_name(name), model)
    program, *words = shlex.split(use(model).replace("JOB", shlex.quote(str(relion_job))))
    assert program == "cryofed"
    assert main([*words, "--force"]) == 0
    assert main([word for word in words if word != "--own-model"]) == 1  # a model of one's own is said to be

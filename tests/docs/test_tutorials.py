"""Each tutorial is walked from top to bottom: every `sh` block of it runs, in one empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, blocks

from cryofed.cli.main import main

pytest.importorskip("torch", reason="practice labs are simulated, and a federation trains")

WALKED = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PRACTICE = "cryofed simulate sites --sites 2 --jobs "
RELEASED = r"campaign 1: Released: AUC (0\.\d+) → (0\.\d+) on held-out projects of 2 sites; release 2 is"
REFUSED = r"campaign 1: Not released: .+; release 1 stays"


@pytest.mark.parametrize("page", WALKED, ids=lambda page: page.stem)
def test_a_tutorial_can_be_walked(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work, printed = walked(page, tmp_path)
    if page.stem == "first-relion-job":
        shown = next(
            block.content for block in blocks(ROOT / "README.md", "") if "class  part" in block.content
        )
        for line in shown.splitlines():
            if line.strip() != "..." and not line.startswith(("$", "wrote")):
                assert line in printed, f"README shows a line that is no more: {line}"
    if page.stem == "two-labs":
        said, done = re.search(RELEASED, page.read_text(encoding="utf-8")), re.search(RELEASED, printed)
        assert said is not None
        # Another processor rounds otherwise: its simulated classifications, and so the labs, are others. The
        # projects that the labs train with are drawn anew in each folder. So the gate may refuse.
        assert done or re.search(REFUSED, printed), printed
        if done:
            before, after = map(float, done.groups())
            assert before == pytest.approx(float(said[1]), abs=0.06)
            assert after >= before
        in_use = f"two-labs/releases/000{2 if done else 1}/model.onnx · SHA-256"
        assert any(
            in_use in report.read_text(encoding="utf-8") for report in work.rglob("*_selected/report.html")
        )
        # AUC says nothing of the level: the release must not lose what the model before keeps.
        kept = re.findall(r"([\d,]+) of [\d,]+ particles", printed)[-1]
        job = work / "labs/site-1/project-1/Class2D/job010"
        assert main(["select", str(job), "--out", str(tmp_path / "shipped"), "--json"]) == 0
        by_shipped = json.loads(capsys.readouterr().out)["kept"]["particles"]
        assert int(kept.replace(",", "")) > 0.7 * by_shipped
    for name in ("report.html", "plan.toml", "lab.db"):
        if name in page.read_text(encoding="utf-8"):
            assert list(work.rglob(name)), f"{page.name} promises {name}"


def walked(page: Path, folder: Path) -> tuple[Path, str]:
    """Where the page's blocks ran, and what they printed."""
    binaries, work = folder / "bin", folder / "work"
    for made in (binaries, work):
        made.mkdir(parents=True)
    command = binaries / "cryofed"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cryofed "$@"\n')
    command.chmod(0o755)
    (binaries / "python").symlink_to(sys.executable)
    script = "set -eu\n" + "\n".join(block.content for block in blocks(page, "sh"))
    assert PRACTICE in script
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=work,
        env=os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return work, done.stdout

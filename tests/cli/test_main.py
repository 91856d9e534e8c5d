"""The one entry."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from cryofed.cli.main import COMMANDS, main


def test_every_listed_command_has_its_file() -> None:
    files = {command: f"cryofed.cli.{command.replace('-', '_')}" for command in COMMANDS}
    assert [command for command, module in files.items() if find_spec(module) is None] == []


def test_an_unknown_command_is_a_bad_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["frobnicate"])
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_needs_no_torch(command: str) -> None:
    code = (
        "import sys; from cryofed.cli.main import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "assert 'torch' not in sys.modules and 'onnxruntime' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"cryofed {command}" in done.stdout

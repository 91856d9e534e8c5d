"""What `--help` ends with, and the scripts for the Tab key."""

import shutil
import subprocess

import pytest

from cryofed.cli.examples import EXAMPLES
from cryofed.cli.main import COMMANDS, main, make_parser


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_is_a_command_line(line: str) -> None:
    words = line.partition("#")[0].partition(" >")[0].split()
    assert words[0] == "cryofed"
    make_parser(COMMANDS).parse_args(words[1:])  # SystemExit where it is none


def test_help_ends_with_examples_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["select", "--help"])
    told = capsys.readouterr().out
    assert "\n  cryofed select Class2D/job012/\n" in told
    assert "exit status: 0 done; 1 refused" in told


def test_the_shell_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "--learn-from" in script
    if shutil.which("bash"):
        asked = 'COMP_WORDS=(cryofed se); COMP_CWORD=1; _shtab_cryofed; echo "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "-c", script + "\n" + asked], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["select"]

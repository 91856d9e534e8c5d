"""What the pages say is so: links lead somewhere, commands exist, the reference is the code's own."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.pages import PAGES, ROOT, anchors, commands, links, typed

from cryofed.cli.main import parser_for


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:", "data:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)}: {link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{named(page)}: {link} leaves the project"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{named(page)}: {link}: no such heading"


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands(page))], ids=named)
def test_every_command_is_one_that_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(page):
        words = shlex.split(command.words)[1:]
        if words in (["--version"], ["--help"]) or "…" in words:
            continue
        try:
            parser_for(words).parse_args(words)
        except SystemExit as stop:
            if stop.code:
                said = capsys.readouterr().err.strip().splitlines()[-1]
                pytest.fail(f"{named(page)}:{command.line}: {command.words}: {said}")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_and_benchmark_is_one_that_exists(page: Path) -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    engines = re.findall(r"^APART := (.*)$", rules, re.MULTILINE)[0].split()
    targets |= {f"{verb}-{engine}" for verb in ("test", "lock") for engine in engines}
    places = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "benchmarks").glob("*/commands.py")]
    benchmarks = {place.parent.name if place.stem == "commands" else place.stem for place in places}
    for line in typed(page, "make "):
        for word in line.split()[1:]:
            if "=" in word or word.startswith((".venv", "-")) or not re.fullmatch("[a-z_-]+", word):
                continue
            known = word in targets or word.removeprefix("bench-") in benchmarks
            assert known, f"{named(page)}: {line}: no target {word}"
    for line in typed(page, "python -m benchmarks "):
        name = line.split()[3]
        assert name in benchmarks, f"{named(page)}: {line}: no benchmark {name}"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    told = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert told is not None
    assert told.loader is not None
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python lays out help in its own way")
def test_the_reference_is_the_codes_own(reference: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="without PyTorch the signatures cannot be read")
    monkeypatch.setenv("COLUMNS", "100")
    for name, text in reference.pages().items():
        kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert text == kept, f"run: python docs/make_reference.py ({name} is older than the code)"


def test_every_page_of_docs_is_on_the_site() -> None:
    nav = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    absent = [page for page in docs.rglob("*.md") if f'"{page.relative_to(docs)}"' not in nav]
    assert not absent, f"zensical.toml's nav lacks {', '.join(map(named, absent))}"


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    zensical = shutil.which("zensical", path=str(Path(sys.executable).parent))
    if zensical is None:
        pytest.skip("zensical is not installed: the extra cryofed[docs] brings it")
    for name in ("docs", "zensical.toml"):
        place = tmp_path / name
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    done = subprocess.run(
        [zensical, "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site-docs" / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in page
    assert 'src="http' not in page

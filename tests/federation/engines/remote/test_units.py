"""Unit files: paths in quotes, and a site may write beside its library wherever that lies."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import SiteSettings, write_settings
from cryofed.federation.engines.remote.units import quoted, write_aggregator_unit, write_site_unit


def line(unit: Path, key: str) -> list[str]:
    """The words of one setting, which here hold no sign that a shell reads otherwise than systemd."""
    (found,) = [text for text in unit.read_text().splitlines() if text.startswith(f"{key}=")]
    return shlex.split(found.partition("=")[2])


def test_the_aggregator_starts_in_the_foreground_and_writes_in_its_folder_alone(tmp_path: Path) -> None:
    home = tmp_path / "my lab" / "demo"
    unit = write_aggregator_unit(tmp_path / "units", Plan(name="demo"), tmp_path / "plan.toml", home)
    words = ["federation", "start", str(tmp_path / "plan.toml"), "--home", str(home), "--foreground"]
    assert line(unit, "ExecStart")[2:] == ["cryofed", *words]
    assert line(unit, "ReadWritePaths") == [str(home)]


def test_a_library_outside_the_sites_folder_can_be_opened(tmp_path: Path) -> None:
    # SQLite writes its log and index beside a library that is only read; strict protection forbade it.
    home, library = SiteHome(tmp_path / "site"), tmp_path / "big disk" / "library.db"
    write_settings(home, SiteSettings(name="north", organization="a", library=str(library)))
    unit = write_site_unit(tmp_path / "units", home)
    assert unit.name == "cryofed-site-north.service"
    assert set(line(unit, "ReadWritePaths")) == {str(tmp_path / "big disk"), str(tmp_path / "site")}
    assert "UMask=0077" in unit.read_text()


def test_a_library_in_the_sites_folder_needs_no_other(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    write_settings(home, SiteSettings(name="north", organization="a", library="library.db"))
    assert line(write_site_unit(tmp_path, home), "ReadWritePaths") == [str(tmp_path / "site")]


@pytest.mark.parametrize(
    ("word", "told"),
    [("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a%b", '"a%%b"'), ("a$b", '"a$$b"'), ("a\\b", '"a\\\\b"')],
)
def test_signs_that_systemd_reads_are_written_as_it_asks(word: str, told: str) -> None:
    assert quoted(word) == told

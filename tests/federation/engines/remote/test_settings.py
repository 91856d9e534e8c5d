"""What a site decides about itself: `site.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

from cryofed.errors import InputError
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import (
    SiteSettings,
    check_device,
    read_settings,
    write_settings,
)


def test_a_site_says_where_it_computes_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    write_settings(home, SiteSettings(name="north", organization="lab", library="library.db"))
    assert read_settings(home).device == "auto"
    assert 'device = "auto"' in home.settings.read_text()
    assert home.settings.stat().st_mode & 0o777 == 0o600
    home.settings.write_text(home.settings.read_text().replace('"auto"', '"gpu"'))
    with pytest.raises(InputError, match=r"device: 'gpu'; choose one of: auto, cpu, cuda, mps"):
        read_settings(home)


def test_a_site_of_an_earlier_release_takes_what_is_there(tmp_path: Path) -> None:
    home = SiteHome(tmp_path)
    home.settings.write_text('name = "north"\norganization = "lab"\nlibrary = "library.db"\n')
    assert read_settings(home).device == "auto"


def test_a_device_that_is_not_there_is_refused_before_the_site_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    home = SiteHome(tmp_path)
    for device in ("auto", "cpu"):
        check_device(home, SiteSettings(name="a", organization="b", library="c", device=device))
    with pytest.raises(InputError, match=r"site\.toml: device = cuda: PyTorch sees none on this"):
        check_device(home, SiteSettings(name="a", organization="b", library="c", device="cuda"))

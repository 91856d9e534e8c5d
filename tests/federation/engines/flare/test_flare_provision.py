"""Founding and joining: keys are made at home, and the coordinator signs only what it has compared."""

from __future__ import annotations

import json
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.federation.engines.flare.founding import Founded, found

from cryofed.errors import FederationError, InputError, OutputError
from cryofed.federation.engines.flare import certificates, kits
from cryofed.federation.engines.flare.certificates import Request, same_fingerprint
from cryofed.federation.engines.flare.coordinator import provision
from cryofed.federation.engines.flare.registry import read_registry
from cryofed.federation.engines.remote import joining
from cryofed.federation.engines.remote.homes import SiteHome

KEY = b"PRIVATE KEY"


def test_no_private_key_but_the_own_ones_is_ever_at_the_coordinator(founded: Founded) -> None:
    keys = sorted(
        str(path.relative_to(founded.home.folder))
        for path in founded.home.folder.rglob("*")
        if path.is_file() and KEY in path.read_bytes()
    )
    assert keys == [
        "aggregator/startup/server.key",
        "authority/rootCA.key",
        "coordinator/startup/client.key",
    ]
    for name in keys:
        assert stat.S_IMODE((founded.home.folder / name).stat().st_mode) == 0o600


def test_a_site_holds_one_key_and_what_it_sends_holds_none(founded: Founded) -> None:
    for site, home in founded.sites.items():
        with_key = [path for path in home.folder.rglob("*") if path.is_file() and KEY in path.read_bytes()]
        assert with_key == [home.kit / "startup" / "client.key"]
        for name in (f"{site}.request.zip", f"{site}.signed.zip"):
            with zipfile.ZipFile(home.folder / name) as archive:
                assert not any(KEY in archive.read(part) for part in archive.namelist())


def test_the_registry_records_the_key_that_the_site_holds(founded: Founded) -> None:
    members = read_registry(founded.home.registry)
    assert {name: member.role for name, member in members.items()} == {
        "coordinator@demo.org": "lead",
        "localhost": "aggregator",
        **dict.fromkeys(founded.sites, "site"),
    }
    for site, home in founded.sites.items():
        certificate = certificates.read_certificate(home.kit / "startup" / "client.crt")
        assert certificate.name == site
        assert certificate.fingerprint == members[site].fingerprint
        assert members[site].organization == f"Lab_of_{site.replace('-', '_')}"


def test_kits_allow_one_class_each_no_code_and_no_log_streaming(founded: Founded) -> None:
    server = json.loads((founded.home.aggregator / "local" / "resources.json").read_text())
    assert server["class_allow_list"] == [kits.CONTROLLER]
    for home in founded.sites.values():
        site = json.loads((home.kit / "local" / "resources.json").read_text())
        assert site["class_allow_list"] == [kits.EXECUTOR]
        assert site["allow_log_streaming"] is False
        assert not [part for part in site["components"] if "log" in part["id"]]
        rights = json.loads((home.kit / "local" / "authorization.json").read_text())["permissions"]
        assert {role: given.get("byoc", "none") for role, given in rights.items()} == dict.fromkeys(
            rights, "none"
        )


def test_nothing_of_a_kit_lies_in_a_shared_temporary_folder(founded: Founded) -> None:
    for kit in (founded.home.aggregator, *(home.kit for home in founded.sites.values())):
        settings = (kit / "local" / "resources.json").read_text()
        assert '"/tmp/nvflare' not in settings
    storage = json.loads((founded.home.aggregator / "local" / "resources.json").read_text())
    places = json.dumps(storage["snapshot_persistor"]) + json.dumps(storage["components"])
    assert places.count(str(founded.home.aggregator / "storage")) == 2  # jobs and snapshots


def test_a_second_request_for_a_known_name_is_refused_whoever_sends_it(tmp_path: Path) -> None:
    one = found(tmp_path, sites=("site-1",))
    stranger = SiteHome(tmp_path / "stranger")
    request, _ = joining.ask(one.home.invitation, stranger, "site-1", "Evil Inc")
    with pytest.raises(FederationError, match="already approved"):
        provision.approve(one.plan, one.home, request, lambda _: True)
    with pytest.raises(FederationError, match="belongs to Lab_of_site_1"):
        provision.approve(one.plan, one.home, request, lambda _: True, renew=True)
    assert not list(tmp_path.rglob("stranger/*.signed.zip"))


def test_nothing_is_signed_when_the_coordinator_does_not_agree(tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    request, told = joining.ask(one.home.invitation, SiteHome(tmp_path / "a"), "site-1", "Lab A")
    shown: list[Request] = []

    def compare(asked: Request) -> bool:
        shown.append(asked)
        return same_fingerprint(asked.fingerprint, "SHA256:" + "00" * 32)

    with pytest.raises(FederationError, match="not approved; nothing was signed"):
        provision.approve(one.plan, one.home, request, compare)
    assert shown == [told]  # name, organization, role and fingerprint, as the site sees them
    assert "site-1" not in read_registry(one.home.registry)


def test_a_request_whose_words_differ_from_its_key_is_refused(tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    request, _ = joining.ask(one.home.invitation, SiteHome(tmp_path / "a"), "site-1", "Lab A")
    forged = tmp_path / "forged.request.zip"
    with zipfile.ZipFile(request) as old, zipfile.ZipFile(forged, "w") as new:
        for part in old.namelist():
            data = old.read(part)
            new.writestr(part, data.replace(b'"Lab_A"', b'"Lab_B"') if part == "request.json" else data)
    with pytest.raises(InputError, match="words and key do not agree"):
        provision.approve(one.plan, one.home, forged, lambda _: True)


def test_a_request_that_shows_a_site_and_asks_to_be_the_aggregator_is_not_signed(tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    work = tmp_path / "evil"
    participant: dict[str, object] = {"name": "site-1", "type": "server", "org": "Lab_A"}
    request = certificates.make_request(work, one.plan.name, participant)
    forged = tmp_path / "forged.request.zip"
    with zipfile.ZipFile(request) as old, zipfile.ZipFile(forged, "w") as new:
        for part in old.namelist():
            data = old.read(part)
            if part == "request.json":
                told = json.loads(data)
                assert told["cert_type"] == "server"
                data = json.dumps(told | {"cert_type": "client"}).encode()
            new.writestr(part, data)
    assert certificates.read_request(forged).role == "site"
    with pytest.raises((FederationError, InputError)):
        provision.approve(one.plan, one.home, forged, lambda _: True)
    assert not list(tmp_path.glob("*.signed.zip"))
    assert "site-1" not in read_registry(one.home.registry)


def test_a_certificate_that_is_not_what_was_shown_is_not_handed_out(founded: Founded) -> None:
    startup = founded.sites["site-1"].kit / "startup"
    leaf, path = (startup / "client.crt").read_bytes(), startup / "client.crt"
    known = certificates.read_certificate(path)
    same = Request(name="site-1", organization="Lab_of_site_1", role="site", fingerprint=known.fingerprint)
    certificates._check_is(leaf, same, path)
    for change in ({"name": "site-2"}, {"role": "lead"}, {"fingerprint": "SHA256:00"}, {"organization": "x"}):
        with pytest.raises(InputError, match="its parts do not agree"):
            certificates._check_is(leaf, replace(same, **change), path)


def test_an_answer_of_another_authority_is_refused_at_the_site(tmp_path: Path) -> None:
    one, other = found(tmp_path / "one", sites=()), found(tmp_path / "other", sites=())
    site = SiteHome(tmp_path / "site")
    request, _ = joining.ask(one.home.invitation, site, "site-1", "Lab A")
    answer = provision.approve(other.plan, other.home, request, lambda _: True)
    with pytest.raises(InputError, match="ROOTCA_FINGERPRINT_MISMATCH"):
        joining.accept(answer, site)
    assert not site.kit.exists()


def test_a_certificate_is_renewed_with_a_new_key_for_the_same_organization(tmp_path: Path) -> None:
    one = found(tmp_path, sites=("site-1",))
    home = one.sites["site-1"]
    before = certificates.read_certificate(home.kit / "startup" / "client.crt")
    with pytest.raises(OutputError, match="joined already"):
        joining.ask(one.home.invitation, home, "site-1", "Lab of site-1")
    request, _ = joining.ask(one.home.invitation, home, "site-1", "Lab of site-1", renew=True)
    joining.accept(provision.approve(one.plan, one.home, request, lambda _: True, renew=True), home)
    after = certificates.read_certificate(home.kit / "startup" / "client.crt")
    assert after.name == before.name
    assert after.fingerprint != before.fingerprint
    assert read_registry(one.home.registry)["site-1"].fingerprint == after.fingerprint


def test_an_invitation_from_another_version_names_the_command_to_run(
    founded: Founded, tmp_path: Path
) -> None:
    text = founded.home.invitation.read_text()
    path = tmp_path / "invitation.toml"
    path.write_text(text.replace('cryofed = "', 'cryofed = "9'))
    with pytest.raises(InputError, match=r"pip install 'cryofed\[flare\]==9"):
        joining.ask(path, SiteHome(tmp_path / "site"), "site-1", "Lab A")


def test_a_folder_with_a_blank_is_refused_because_flare_would_split_it(
    founded: Founded, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a blank or a quote in its path"):
        joining.ask(founded.home.invitation, SiteHome(tmp_path / "my site"), "site-1", "Lab A")


def test_provisioning_twice_keeps_the_authority(founded: Founded) -> None:
    root = (founded.home.authority / "rootCA.pem").read_bytes()
    with pytest.raises(OutputError, match="already provisioned"):
        provision.provision(founded.plan, founded.home)
    assert (founded.home.authority / "rootCA.pem").read_bytes() == root


def test_no_temporary_folder_is_left_behind(founded: Founded) -> None:
    left = [
        path for path in founded.home.folder.parent.rglob(".*") if path.name.startswith((".temp", ".pack"))
    ]
    assert left == []

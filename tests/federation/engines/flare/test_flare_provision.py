"""Founding and joining: keys are made at home, and the coordinator signs only what it has compared."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.federation.engines.flare.founding import MACHINES, Founded, found

from cryofed.errors import FederationError, InputError, OutputError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare import files
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.trust.certificates import read_certificate
from cryofed.trust.keys import same_fingerprint
from cryofed.trust.members import read_members
from cryofed.trust.requests import Request, make_request

KEY = b"PRIVATE KEY"


def keys_in(folder: Path) -> list[str]:
    """Files with a private key inside; links to them are FLARE's names of the same file."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and KEY in path.read_bytes()
    )


def test_no_private_key_but_the_own_ones_is_ever_at_the_coordinator(founded: Founded) -> None:
    keys = keys_in(founded.home.folder)
    assert keys == ["authority/root.key", "coordinator-identity/key.pem", "identity/key.pem"]
    for name in keys:
        assert stat.S_IMODE((founded.home.folder / name).stat().st_mode) == 0o600


def test_a_site_holds_one_key_and_what_it_sends_holds_none(founded: Founded) -> None:
    for home in founded.sites.values():
        assert keys_in(home.folder) == ["identity/key.pem"]


def test_nobody_else_on_the_machine_reads_what_a_site_or_the_aggregator_keeps(founded: Founded) -> None:
    for folder in (founded.home.folder, *(home.folder for home in founded.sites.values())):
        open_to_others = [
            path for path in folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077
        ]
        assert open_to_others == []


def test_the_registry_records_the_key_that_the_site_holds(founded: Founded) -> None:
    members = read_members(founded.home.registry)
    assert {name: member.role for name, member in members.items()} == {
        "coordinator@demo.org": "coordinator",
        "localhost": "aggregator",
        **dict.fromkeys(founded.sites, "site"),
    }
    for site, home in founded.sites.items():
        certificate = read_certificate(home.identity.certificate)
        assert certificate.name == site
        assert certificate.fingerprint == members[site].fingerprint
        assert members[site].organization == f"Lab_of_{site.replace('-', '_')}"


def test_kits_allow_one_class_each_no_code_and_no_log_streaming(founded: Founded) -> None:
    server = json.loads((founded.home.aggregator / "local" / "resources.json").read_text())
    assert server["class_allow_list"] == [files.CONTROLLER]
    for home in founded.sites.values():
        site = json.loads((home.kit / "local" / "resources.json").read_text())
        assert site["class_allow_list"] == [files.EXECUTOR]
        assert site["allow_log_streaming"] is False
        assert not [part for part in site["components"] if "log" in part["id"]]
        rights = json.loads((home.kit / "local" / "authorization.json").read_text())["permissions"]
        assert {role: given.get("byoc", "none") for role, given in rights.items()} == dict.fromkeys(
            rights, "none"
        )


def test_nothing_of_a_kit_lies_in_a_shared_temporary_folder(founded: Founded) -> None:
    storage = json.loads((founded.home.aggregator / "local" / "resources.json").read_text())
    places = json.dumps(storage["snapshot_persistor"]) + json.dumps(storage["components"])
    assert places.count(str(founded.home.aggregator / "storage")) == 2  # jobs and snapshots


def test_a_second_request_for_a_known_name_is_refused_whoever_sends_it(tmp_path: Path) -> None:
    one = found(tmp_path, sites=("site-1",))
    request, _ = MACHINES.ask(one.home.invitation, tmp_path / "stranger", "site-1", "Evil Inc")
    with pytest.raises(FederationError, match="already approved"):
        MACHINES.admit(one.plan, one.federation, request, lambda _: True)
    with pytest.raises(FederationError, match="belongs to Lab_of_site_1"):
        MACHINES.admit(one.plan, one.federation, request, lambda _: True, renew=True)
    assert not list(tmp_path.rglob("stranger/*.signed.pem"))


def test_nothing_is_signed_when_the_coordinator_does_not_agree(tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    request, told = MACHINES.ask(one.home.invitation, tmp_path / "a", "site-1", "Lab A")
    shown: list[Request] = []

    def compare(asked: Request) -> bool:
        shown.append(asked)
        return same_fingerprint(asked.fingerprint, "SHA256:" + "00" * 32)

    with pytest.raises(FederationError, match="not approved; nothing was signed"):
        MACHINES.admit(one.plan, one.federation, request, compare)
    assert shown == [told]  # name, organization, role and fingerprint, as the site sees them
    assert "site-1" not in read_members(one.home.registry)


@pytest.mark.parametrize("role", ["aggregator", "coordinator", "project_admin"])
def test_only_a_site_joins_by_request(tmp_path: Path, role: str) -> None:
    one = found(tmp_path, sites=())
    asked = Request(name="site-1", organization="Lab_A", role=role, fingerprint="")
    request = make_request(tmp_path / "evil", asked, "rsa")
    with pytest.raises(FederationError, match=f"asks for the role '{role}'; only sites"):
        MACHINES.admit(one.plan, one.federation, request, lambda _: True)
    assert not list(tmp_path.rglob("*.signed.pem"))
    assert "site-1" not in read_members(one.home.registry)


def test_an_answer_of_another_authority_is_refused_at_the_site(tmp_path: Path) -> None:
    one, other = found(tmp_path / "one", sites=()), found(tmp_path / "other", sites=())
    site = SiteHome(tmp_path / "site")
    request, _ = MACHINES.ask(one.home.invitation, site.folder, "site-1", "Lab A")
    answer = MACHINES.admit(other.plan, other.federation, request, lambda _: True)
    with pytest.raises(InputError, match="authority is not the one of the invitation"):
        MACHINES.accept(answer, site.folder)
    assert not site.kit.exists()


def test_an_answer_to_another_request_is_refused_at_the_site(tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    request, _ = MACHINES.ask(one.home.invitation, tmp_path / "a", "site-1", "Lab A")
    MACHINES.ask(one.home.invitation, tmp_path / "b", "site-2", "Lab B")
    answer = MACHINES.admit(one.plan, one.federation, request, lambda _: True)
    with pytest.raises(InputError, match="the certificate of another key"):
        MACHINES.accept(answer, tmp_path / "b")


def test_a_certificate_is_renewed_with_a_new_key_for_the_same_organization(tmp_path: Path) -> None:
    one = found(tmp_path, sites=("site-1",))
    home = one.sites["site-1"]
    before = read_certificate(home.identity.certificate)
    with pytest.raises(OutputError, match="joined already"):
        MACHINES.ask(one.home.invitation, home.folder, "site-1", "Lab of site-1")
    request, _ = MACHINES.ask(one.home.invitation, home.folder, "site-1", "Lab of site-1", renew=True)
    MACHINES.accept(
        MACHINES.admit(one.plan, one.federation, request, lambda _: True, renew=True), home.folder
    )
    after = read_certificate(home.identity.certificate)
    assert after.name == before.name
    assert after.fingerprint != before.fingerprint
    assert read_members(one.home.registry)["site-1"].fingerprint == after.fingerprint


def test_an_invitation_from_another_version_names_the_command_to_run(
    founded: Founded, tmp_path: Path
) -> None:
    text = founded.home.invitation.read_text()
    path = tmp_path / "invitation.toml"
    path.write_text(text.replace('cryofed = "', 'cryofed = "9'))
    with pytest.raises(InputError, match=r"pip install '\.\[flare\]' in the source folder of cryofed 9"):
        MACHINES.ask(path, tmp_path / "site", "site-1", "Lab A")


def test_the_invitation_follows_the_plan(founded: Founded, tmp_path: Path) -> None:
    one = found(tmp_path, sites=())
    moved = replace(one.plan, network=replace(one.plan.network, host="agg.example.org"))
    again = MACHINES.invite(moved, one.federation)
    assert 'host = "agg.example.org"' in again.path.read_text()
    assert again.authority in again.path.read_text()
    with pytest.raises(FederationError, match="not founded"):
        MACHINES.invite(Plan(), tmp_path / "elsewhere")


def test_a_folder_with_a_blank_is_refused_because_flare_would_split_it(
    founded: Founded, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a blank or a quote in its path"):
        MACHINES.ask(founded.home.invitation, tmp_path / "my site", "site-1", "Lab A")


def test_provisioning_twice_keeps_the_authority(founded: Founded) -> None:
    root = (founded.home.authority / "root.pem").read_bytes()
    with pytest.raises(OutputError, match="already provisioned"):
        MACHINES.found(founded.plan, founded.federation)
    assert (founded.home.authority / "root.pem").read_bytes() == root


def test_nothing_half_written_is_left_behind(founded: Founded) -> None:
    folders = (founded.home.folder, *(home.folder for home in founded.sites.values()))
    assert [path for folder in folders for path in folder.rglob(".*")] == []
    assert [path for folder in folders for path in folder.glob("*request*/*")] == []


@pytest.mark.parametrize("file", ["local/cc_manager__p_resources.json", "local/cc_site.yml"])
def test_flares_mock_authoriser_is_refused_at_start(tmp_path: Path, file: str) -> None:
    """It says yes to everybody; FLARE 2.9 would take its word for an attestation."""
    one = found(tmp_path, sites=("site-1",))
    issuer = {"id": "mock", "path": "nvflare.app_opt.confidential_computing.mock_authorizer.MockAuthorizer"}
    for kit in (one.home.aggregator, one.sites["site-1"].kit):
        (kit / file).write_text(json.dumps({"components": [issuer]}))
    words = r"mock authoriser \(MockAuthorizer\); take it out: it attests to nothing"
    with pytest.raises(InputError, match=words):
        MACHINES.start(one.plan, one.federation)
    with pytest.raises(InputError, match=words):
        MACHINES.site_command(one.sites["site-1"])

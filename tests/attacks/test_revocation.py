"""A key that was replaced or revoked must not come in, whatever name it brings and whoever knows it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")

from nvflare.apis.fl_exception import NotAuthenticated
from nvflare.fuel.f3.cellnet.defs import IdentityChallengeKey
from nvflare.private.defs import CellMessageHeaderKeys, ClientType
from nvflare.private.fed.server.client_manager import ClientManager
from nvflare.private.fed.utils.identity_utils import TokenVerifier
from tests.contract import toy
from tests.contract.flare_harness import FlareInProcess, Wire, carrier_of, learner_of
from tests.contract.toy_learner import set_toys
from tests.federation.engines.flare.founding import MACHINES, Founded, found

from cryofed.cli.main import main
from cryofed.errors import FederationError
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flare.aggregator.holders import Holders
from cryofed.federation.engines.flare.inside import judge_keys
from cryofed.federation.wire.orders import order, pack_order
from cryofed.learning.vector import vector_hash
from cryofed.trust.members import read_members

SITE = "site-1"


@pytest.fixture
def one(tmp_path: Path) -> Founded:
    return found(tmp_path, sites=(SITE,))


def certificate(one: Founded) -> bytes:
    return one.sites[SITE].identity.certificate.read_bytes()


def renew(one: Founded) -> None:
    home = one.sites[SITE].folder
    request, _ = MACHINES.ask(one.home.invitation, home, SITE, f"Lab of {SITE}", renew=True)
    MACHINES.accept(MACHINES.admit(one.plan, one.federation, request, lambda _: True, renew=True), home)


def test_after_a_renewal_the_old_key_is_refused_though_its_certificate_is_still_good(one: Founded) -> None:
    holders, stolen = Holders(one.home.registry), certificate(one)
    assert holders.refuses(SITE, stolen, coordinator=False) == ""
    renew(one)
    assert "not in the registry, or not any more" in holders.refuses(SITE, stolen, coordinator=False)
    assert holders.refuses(SITE, certificate(one), coordinator=False) == ""
    assert holders.refuses("site-2", certificate(one), coordinator=False)  # nor under another name
    assert holders.refuses(SITE, certificate(one), coordinator=True)  # nor as the coordinator
    own = one.home.coordinator_identity.certificate.read_bytes()
    assert holders.refuses("anybody", own, coordinator=True) == ""
    for nothing in (b"", b"-----BEGIN CERTIFICATE-----\n", one.home.identity.key.read_bytes()):
        assert "shows no certificate" in holders.refuses(SITE, nothing, coordinator=False)


def test_a_session_ends_with_its_key_and_with_a_newer_session(one: Founded) -> None:
    holders = Holders(one.home.registry)
    holders.entered(SITE, "first", certificate(one))
    assert holders.holds(SITE, "first")
    assert Holders(one.home.registry).holds(SITE, "first")  # the aggregator was started again
    assert not holders.holds(SITE, "another")
    assert not holders.holds(SITE, "")
    holders.entered(SITE, "second", certificate(one))
    assert (holders.holds(SITE, "first"), holders.holds(SITE, "second")) == (False, True)
    renew(one)
    assert not holders.holds(SITE, "second")
    assert not Holders(one.home.registry).holds(SITE, "second")
    assert holders.holds("server", "server")  # FLARE's own messages to itself
    assert "second" not in (one.home.folder / "sessions.json").read_text()  # a token is a secret


def test_a_revoked_site_is_out_at_once_and_its_key_for_ever(
    one: Founded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holders, path = Holders(one.home.registry), tmp_path / "plan.toml"
    path.write_text(commented_plan(one.plan))
    holders.entered(SITE, "token", certificate(one))
    command = ["federation", "revoke", str(path), SITE, "--home", str(one.federation)]
    assert main(command) == 0
    assert not holders.holds(SITE, "token")
    assert holders.refuses(SITE, certificate(one), coordinator=False)
    assert main(command) == 1
    assert "was revoked on" in capsys.readouterr().err
    assert main([*command[:3], "nobody", *command[4:]]) == 1
    assert "nobody is no approved site; there are: site-1" in capsys.readouterr().err
    # The old request once more, as its thief has kept it: the site's own, then under another name.
    kept = one.sites[SITE].folder / f"{SITE}.request.pem"
    for again in (False, True):
        with pytest.raises(FederationError, match="was replaced or revoked; ask for a request"):
            MACHINES.admit(one.plan, one.federation, kept, lambda _: True, renew=again)
    stolen = kept.read_bytes()
    renew(one)  # with a new key
    assert holders.refuses(SITE, certificate(one), coordinator=False) == ""
    kept.write_bytes(stolen)
    with pytest.raises(FederationError, match="was replaced or revoked"):
        MACHINES.admit(one.plan, one.federation, kept, lambda _: True, renew=True)
    assert len(read_members(one.home.registry)[SITE].former) == 1


@pytest.fixture
def hooked(one: Founded, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """FLARE's two doors with our judge in them; FLARE's own checks always say yes."""

    def yes(self: Any, request: Any, fl_ctx: Any, client_type: Any) -> Any:
        return SimpleNamespace(token="token", name=request.get_header(CellMessageHeaderKeys.CLIENT_NAME))

    monkeypatch.setattr(ClientManager, "authenticated_client", yes)
    monkeypatch.setattr(TokenVerifier, "verify", lambda *_: True)
    told: list[str] = []
    judge_keys(Holders(one.home.registry), lambda _, reason: told.append(reason))
    return told


def register(name: str, shown: bytes, kind: str = ClientType.REGULAR) -> Any:
    payload = {IdentityChallengeKey.CERT: shown}
    request = SimpleNamespace(get_header=lambda _: name, payload=payload)
    manager: Any = ClientManager.authenticated_client
    return manager(SimpleNamespace(), request, None, kind)


def test_flares_own_doors_ask_for_the_key(one: Founded, hooked: list[str]) -> None:
    stolen = certificate(one)
    assert register(SITE, stolen).token == "token"
    verify: Any = TokenVerifier.verify
    assert verify(SimpleNamespace(), SITE, "token", "signature")
    renew(one)
    assert not verify(SimpleNamespace(), SITE, "token", "signature")
    for kind in (ClientType.REGULAR, ClientType.ADMIN, "relay"):
        with pytest.raises(NotAuthenticated):
            register(SITE, stolen, kind)
    assert len(hooked) == 3
    assert register(SITE, certificate(one)).name == SITE


def test_a_site_that_is_revoked_while_it_works_is_not_waited_for(tmp_path: Path) -> None:
    harness = FlareInProcess()
    with learner_of("tests.contract.toy_learner"):
        wire = harness._start(["alpha", "beta"])
    assert isinstance(wire, Wire)
    set_toys(harness.home, {"alpha": "honest", "beta": "honest"}, seconds=3.0)
    rows = [
        {
            "name": name,
            "organization": "lab",
            "role": "site",
            "fingerprint": name,
            "approved": "",
            "last_day": "",
        }
        for name in ("alpha", "beta")
    ]
    registry = tmp_path / "registry.json"
    registry.write_text(json.dumps(rows))
    plan = toy.plan(("alpha", "beta"))
    hashes = {"plan_hash": plan.hash, "start_hash": vector_hash(toy.START), "layout_hash": toy.LAYOUT.hash}
    wire.sites = ["alpha", "beta"]
    harness._settle(wire)
    carrier = carrier_of(wire, tmp_path, plan)
    assert sorted(carrier.present()) == ["alpha", "beta"]
    carrier.ask(pack_order(order("train", 1, toy.START, **hashes)), wire.sites)
    registry.with_suffix(".new").write_text(
        json.dumps([rows[0] | {"revoked": "2026-11-28T12:00:00"}, rows[1]])
    )
    registry.with_suffix(".new").replace(registry)
    answers = [carrier.answer(60.0), carrier.answer(60.0)]
    assert carrier.present() == ["beta"]
    carrier.dismiss()
    carrier.close()
    assert {one.site: one.failure for one in answers if one} == {"alpha": "revoked", "beta": ""}

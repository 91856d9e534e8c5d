"""What must not get in does not: strangers, forgers, revoked keys, long bodies, wrong clocks."""

from __future__ import annotations

import datetime
import json
import ssl
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

import httpx
from tests.federation.engines.flower.served import Never, Served

from cryofed.federation.engines.flower import inside
from cryofed.federation.engines.flower.calls import RefusedError, UnreachableError
from cryofed.federation.engines.flower.link import LARGEST_BODY, clock_words
from cryofed.trust.identity import Identity
from cryofed.trust.members import revoke


def test_an_order_goes_out_and_its_answer_comes_back_once(served: Served, tmp_path: Path) -> None:
    fleet = served.fleet(served.sites["alpha"].identity)
    node = fleet.activate(None)
    assert served.carrier.present() == ["alpha"]
    order = bytes(range(256)) * 60_000  # 15 MB: three pieces
    served.carrier.ask(order, ["alpha", "beta"])
    absent = served.carrier.answer(60.0)
    assert (absent.site, absent.failure) == ("beta", "site_gone")  # type: ignore[union-attr]
    message, tree = fleet.pull(node) or pytest.fail("no order")
    header = fleet.fetch(node, message, tree, tmp_path / "order", Never())
    assert (tmp_path / "order").read_bytes() == order
    assert header["plan"] == "the plan"
    assert fleet.wanted(node, message)
    (tmp_path / "answer").write_bytes(order[1:])
    fleet.reply(node, message, "", tmp_path / "answer")
    fleet.reply(node, message, "", tmp_path / "order")  # a second reply is dropped
    answer = served.carrier.answer(60.0)
    assert answer is not None
    assert (answer.site, bytes(answer.data)) == ("alpha", order[1:])
    assert served.carrier.answer(0.1) is None
    served.carrier.dismiss()
    assert len(served.link.store) == 0
    assert list(served.link.folder.iterdir()) == []  # nothing of it lies on the disk any more
    assert not fleet.wanted(node, message)
    fleet.reply(node, message, "", tmp_path / "answer")  # nor does a late one come in
    assert len(served.link.store) == 0


def test_an_answer_that_is_too_long_is_the_sites_own_loss(served: Served, tmp_path: Path) -> None:
    fleet = served.fleet(served.sites["alpha"].identity)
    node = fleet.activate(None)
    served.carrier.ask(b"short", ["alpha"])
    message, _ = fleet.pull(node) or pytest.fail("no order")
    (tmp_path / "answer").write_bytes(bytes(1_200_000))
    fleet.reply(node, message, "", tmp_path / "answer")
    answer = served.carrier.answer(60.0)
    assert answer is not None
    assert (answer.site, answer.failure) == ("alpha", "malformed")


def test_a_site_cannot_answer_for_another(served: Served) -> None:
    alpha, beta = (served.fleet(served.sites[name].identity) for name in ("alpha", "beta"))
    node, other = alpha.activate(None), beta.activate(None)
    served.carrier.ask(b"order", ["beta"])
    message, _ = beta.pull(other) or pytest.fail("no order")
    with pytest.raises(RefusedError, match="not one reply of your own"):
        alpha.reply(node, message, "", None)  # beta stands in it as its sender
    with pytest.raises(RefusedError) as refused:
        alpha.pull(other)
    assert refused.value.status == 401


def test_a_second_life_of_a_site_comes_in_by_the_number_of_its_first(served: Served) -> None:
    first, second = (served.fleet(served.sites["alpha"].identity) for _ in range(2))
    node = first.activate(None)
    with pytest.raises(RefusedError) as refused:
        second.activate(None)
    assert refused.value.status == 412
    assert second.activate(node) == node


def test_an_order_that_an_earlier_life_had_is_not_waited_for(served: Served) -> None:
    first = served.fleet(served.sites["alpha"].identity)
    node = first.activate(None)
    served.carrier.ask(b"order", ["alpha"])
    first.pull(node)
    first.activate(node)  # the same process, after a fault of the network
    assert served.carrier.answer(0.1) is None
    second = served.fleet(served.sites["alpha"].identity)
    second.activate(node)
    answer = served.carrier.answer(60.0)
    assert answer is not None
    assert (answer.site, answer.failure) == ("alpha", "site_gone")
    assert len(served.link.store) == 0


def test_without_a_certificate_of_this_federation_no_byte_is_read(served: Served, tmp_path: Path) -> None:
    other = Served(tmp_path / "theirs")
    stranger = other.sites["alpha"].identity
    try:
        with pytest.raises(UnreachableError):
            served.fleet(stranger).activate(None)
        trusting = Identity(tmp_path / "mixed")  # our authority, their certificate
        trusting.folder.mkdir()
        trusting.authority.write_bytes(served.home.identity.authority.read_bytes())
        trusting.certificate.write_bytes(stranger.certificate.read_bytes())
        trusting.key.write_bytes(stranger.key.read_bytes())
        with pytest.raises(UnreachableError):
            served.fleet(trusting).activate(None)
    finally:
        other.close()


def test_who_is_revoked_or_renewed_is_out_at_once(served: Served) -> None:
    fleet = served.fleet(served.sites["alpha"].identity)
    node = fleet.activate(None)
    kept = served.home.registry.read_text()
    rows = [row for row in json.loads(kept) if row["name"] != "alpha"]
    served.home.registry.write_text(json.dumps(rows))
    assert served.carrier.present() == []
    with pytest.raises(RefusedError) as refused:
        fleet.pull(node)
    assert refused.value.status == 401
    with pytest.raises(RefusedError, match="not in the registry; approve its request first"):
        fleet.activate(None)
    assert "approve its request first" in served.home.refusals.read_text()
    served.home.registry.write_text(kept)
    served.join("alpha", renew=True)
    again = served.fleet(served.sites["alpha"].identity)
    again.activate(None)
    assert served.carrier.present() == ["alpha"]


def test_a_revoked_site_is_told_when(served: Served) -> None:
    fleet = served.fleet(served.sites["alpha"].identity)
    fleet.activate(None)
    day = revoke(served.home.registry, "alpha").revoked[:10]
    assert served.carrier.present() == []
    with pytest.raises(RefusedError, match=f"alpha was revoked on {day}"):
        fleet.activate(None)
    assert f"alpha was revoked on {day}" in served.home.refusals.read_text()


def test_another_version_of_cryofed_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryofed.federation.engines.flower.calls.__version__", "0.0.9")
    fleet = served.fleet(served.sites["beta"].identity)
    with pytest.raises(RefusedError, match=r"beta runs cryofed 0\.0\.9, the aggregator .*; install the same"):
        fleet.activate(None)


def bare(served: Served) -> httpx.Client:
    """A client with beta's certificate that signs nothing."""
    own = served.sites["beta"].identity
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(own.authority)
    context.load_cert_chain(own.certificate, own.key)
    return httpx.Client(verify=context, base_url=f"https://localhost:{served.port}")


ELSEWHERE = (
    *("/docs", "/openapi.json", "/health", "/v1/control/start-run", "/v1/control/list-nodes"),
    *("/v1/runtime/acquire-task", "/v1/fleet/register-node", "/v1/fleet/unregister-node"),
    "/v1/fleet/get-fab",
)


def test_what_sites_do_not_need_is_not_there(served: Served) -> None:
    head = {"content-type": "application/protobuf"}
    with bare(served) as client:
        assert [client.post(path, headers=head).status_code for path in ELSEWHERE] == [404] * 9
        assert [client.get(path).status_code for path in ELSEWHERE] == [404] * 9


def test_a_long_body_is_refused_by_its_head(served: Served) -> None:
    with bare(served) as client:
        told = client.post("/v1/fleet/push-object", content=bytes(LARGEST_BODY + 1))
        assert told.status_code == 413
        told = client.post("/v1/fleet/push-object", content=iter([b"a" * 10]))  # says no length
        assert told.status_code == 413


def test_a_wrong_clock_is_told_so(served: Served) -> None:
    late = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)).isoformat()
    with bare(served) as client:
        told = client.post("/v1/fleet/pull-messages", headers={inside.TIMESTAMP_HEADER: late})
        assert told.status_code == 401
        assert "clock is 60 s ahead of" in told.json()["detail"] or "59 s" in told.json()["detail"]
        assert client.post("/v1/fleet/pull-messages").json()["detail"] == "no time of signing"


def test_the_window_of_the_clock_is_flowers_own() -> None:
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def words(seconds: float) -> str:
        return clock_words((now + datetime.timedelta(seconds=seconds)).isoformat(), now)

    # Flower: not over 5 s ahead, not over 300 + 5 s behind.
    assert words(4.9) == words(-304.9) == words(0) == ""
    assert "6 s ahead of the aggregator's (2026-01-01T00:00:00+00:00)" in words(6)
    assert "306 s behind" in words(-306)
    assert clock_words("yesterday", now) == clock_words("2026-01-01T00:00:00", now) == "no time of signing"

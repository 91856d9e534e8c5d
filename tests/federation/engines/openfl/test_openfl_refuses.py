"""What must not get in does not: strangers, forgers, revoked keys, second processes, odd results."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from tests.federation.engines.openfl.served import MACHINES, PLAN, Served, answer, fetched, send

from cryofed.errors import InputError
from cryofed.federation.engines.openfl import calls, inside, words
from cryofed.federation.engines.openfl.calls import RefusedError, UnreachableError
from cryofed.federation.engines.openfl.door import Caller, Door, DoorError
from cryofed.trust import authority
from cryofed.trust.identity import Identity

EVERY_BYTE = bytes(range(256))


def opened(served: Served, order: bytes = b"order", *names: str) -> int:
    """An order that lies on the desk; the number of its round."""
    served.carrier.ask(order, names or ["alpha"])
    return served.link.desk.number


def test_an_order_goes_out_and_its_answer_comes_back_once(served: Served) -> None:
    client = served.client("alpha")
    client.beat()
    assert served.carrier.present() == ["alpha"]
    order = EVERY_BYTE * 40_000  # 10 MB: three pieces
    served.carrier.ask(order, ["alpha", "beta"])
    tasks, number, _, _ = client.get_tasks()
    assert [task.name for task in tasks] == [words.READ, words.WORK]
    assert fetched(client, number) == order
    send(client, number, task=words.READ)
    send(client, number, answer(number, order[1:]))
    send(client, number, answer(number, order))  # a second one is dropped
    found = served.carrier.answer(5.0)
    assert found is not None
    assert (found.site, bytes(found.data), found.failure) == ("alpha", order[1:], "")
    assert served.carrier.answer(0.1) is None
    assert client.get_tasks()[0] == []
    served.carrier.dismiss()
    send(client, number, answer(number, order))  # nor does a late one come in
    assert served.carrier.answer(0.1) is None
    assert list(served.link.desk.folder.iterdir()) == []
    assert len(served.link.desk.aggregator.tensor_db.tensor_db) == 0


def test_openfls_aggregator_gets_the_hash_of_an_answer_and_not_the_answer(served: Served) -> None:
    number = opened(served)
    send(served.client("alpha"), number, answer(number, EVERY_BYTE))
    rows = served.link.desk.aggregator.tensor_db.tensor_db
    (kept,) = rows[rows.tensor_name == words.ANSWER].nparray
    assert len(kept) == 32


def test_a_failure_travels_as_a_code(served: Served) -> None:
    number = opened(served)
    send(served.client("alpha"), number, answer(number, b"site_crashed", words.FAILURE))
    found = served.carrier.answer(5.0)
    assert found is not None
    assert (found.site, bytes(found.data), found.failure) == ("alpha", b"", "site_crashed")


def other(number: int, **changed: Any) -> Any:
    made = answer(number, EVERY_BYTE)
    for name, value in changed.items():
        if name == "lengths":
            del made.transformer_metadata[:]
            made.transformer_metadata.extend(inside.base_pb2.MetadataProto(int_list=one) for one in value)
        elif name == "tags":
            del made.tags[:]
            made.tags.extend(value)
        else:
            setattr(made, name, value)
    return made


MALFORMED: dict[str, Callable[[int], list[Any]]] = {
    "no buffer": lambda number: [],
    "two buffers": lambda number: [answer(number, b"a"), answer(number, b"b")],
    "another name": lambda number: [answer(number, b"a", "model")],
    "an empty one": lambda number: [answer(number, b"")],
    "another length": lambda number: [other(number, lengths=[[255]])],
    "another shape": lambda number: [other(number, lengths=[[16, 16]])],
    "no length": lambda number: [other(number, lengths=[])],
    "a metric": lambda number: [other(number, report=True)],
    "another round inside": lambda number: [other(number, round_number=number + 1)],
    "not packed": lambda number: [other(number, tags=["trained"])],
    "another site's mark": lambda number: [other(number, tags=["trained", "compressed", "beta"])],
    "a change": lambda number: [other(number, tags=["trained", "compressed", "delta"])],
    "an odd code": lambda number: [answer(number, b"Traceback in /a/file", words.FAILURE)],
    "too long": lambda number: [answer(number, bytes(1_200_000))],
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_result_of_another_shape_is_its_sites_own_loss(served: Served, what: str) -> None:
    number = opened(served, b"order", "alpha", "beta")
    send(served.client("alpha"), number, *MALFORMED[what](number))
    send(served.client("beta"), number, answer(number, b"fine"))
    found = [served.carrier.answer(5.0) for _ in range(2)]
    assert [(one.site, one.failure) for one in found if one] == [("alpha", "malformed"), ("beta", "")]
    served.carrier.dismiss()
    assert opened(served) == number + 1  # OpenFL's aggregator goes on


def test_bytes_that_are_no_result_are_the_sites_own_loss(served: Served) -> None:
    opened(served)
    chunk = inside.base_pb2.DataStream(npbytes=b"\xff\xfe\x80 no message", size=14)
    served.client("alpha").stub.SendLocalTaskResults(iter([chunk]))
    found = served.carrier.answer(5.0)
    assert found is not None
    assert (found.site, found.failure) == ("alpha", "malformed")


def test_a_result_that_nobody_waits_for_is_taken_and_dropped(served: Served) -> None:
    number = opened(served)
    client = served.client("alpha")
    for at, task in ((number - 1, words.WORK), (number + 1, words.WORK), (number, "other"), (-5, words.READ)):
        send(client, at, answer(at, b"x"), task=task)
    send(served.client("beta"), number, answer(number, b"x"))  # it was not asked
    assert served.carrier.answer(0.1) is None
    assert (
        served.client("beta").get_aggregated_tensor(words.HEAD, number, False, ["model"], True).data_bytes
        == b""
    )


@pytest.mark.parametrize("name", ["answer", "none", "../order", "piece-1", "piece-99999"])
def test_only_the_orders_own_tensors_are_served(served: Served, name: str) -> None:
    number = opened(served)
    client = served.client("alpha")
    for tags in (["model"], ["trained", "beta"], ["model", "compressed"]):
        assert client.get_aggregated_tensor(name, number, False, tags, True).data_bytes == b""


def test_a_site_cannot_speak_for_another(served: Served) -> None:
    number = opened(served, b"order", "alpha", "beta")
    forger = served.client("beta", identity=served.sites["alpha"].identity)
    with pytest.raises(RefusedError, match="alpha calls itself beta"):
        forger.get_tasks()
    with pytest.raises(RefusedError, match="alpha calls itself beta"):
        send(forger, number, answer(number, b"x"))
    assert served.carrier.answer(0.1) is None
    assert "alpha calls itself beta" in served.home.refusals.read_text()


def test_without_a_certificate_of_this_federation_nobody_is_heard(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "RETRY_S", 0.0)
    theirs = Served(tmp_path / "theirs")
    stranger = theirs.sites["alpha"].identity
    try:
        with pytest.raises(UnreachableError):
            served.client("alpha", identity=stranger).get_tasks()
        trusting = mixed(tmp_path / "mixed", served.home.identity, stranger)
        with pytest.raises(UnreachableError):
            served.client("alpha", identity=trusting).get_tasks()
    finally:
        theirs.close()


def mixed(folder: Path, authority_of: Identity, certificate_of: Identity) -> Identity:
    made = Identity(folder)
    made.folder.mkdir()
    made.authority.write_bytes(authority_of.authority.read_bytes())
    made.certificate.write_bytes(certificate_of.certificate.read_bytes())
    made.key.write_bytes(certificate_of.key.read_bytes())
    return made


def expired(served: Served) -> None:
    """A certificate of beta's own key whose last second has gone."""
    beta = served.sites["beta"]
    request, _ = MACHINES.ask(served.home.invitation, beta.folder, "beta", "beta", renew=True)
    leaf = authority.sign(served.home.authority, request, 0)
    key = beta.request / "key.pem"
    beta.identity.key.write_bytes(key.read_bytes())
    beta.identity.certificate.write_bytes(leaf)


def test_an_expired_key_does_not_get_in(served: Served, tmp_path: Path) -> None:
    expired(served)
    with pytest.raises(UnreachableError):
        served.client("beta").get_tasks()
    with pytest.raises(InputError, match=r"expired on .*; renew it"):
        served.sites["beta"].identity.check(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))


def test_a_key_that_expires_while_its_connection_stands_is_out_at_its_next_call(served: Served) -> None:
    expired(served)
    rows = json.loads(served.home.registry.read_text())
    from cryofed.trust.certificates import read_certificate

    print_ = read_certificate(served.sites["beta"].identity.certificate).fingerprint
    for row in rows:
        row["fingerprint"] = print_ if row["name"] == "beta" else row["fingerprint"]
    served.home.registry.write_text(json.dumps(rows))
    door = Door(served.home.registry, served.home.refusals)
    with pytest.raises(DoorError, match=r"beta's certificate expired on .*; renew it"):
        door.enter(Caller(certificate=served.sites["beta"].identity.certificate.read_bytes(), sender="beta"))


def test_who_is_revoked_or_renewed_is_out_at_once(served: Served) -> None:
    client = served.client("alpha")
    client.beat()
    number = opened(served)
    kept = served.home.registry.read_text()
    rows = [row for row in json.loads(kept) if row["name"] != "alpha"]
    served.home.registry.write_text(json.dumps(rows))
    assert served.carrier.present() == []
    with pytest.raises(RefusedError, match="not in the registry; approve its request first"):
        client.get_tasks()
    with pytest.raises(RefusedError, match="not in the registry; approve its request first"):
        send(client, number, answer(number, b"x"))
    assert served.carrier.answer(0.1).failure == "site_gone"  # type: ignore[union-attr]
    assert "approve its request first" in served.home.refusals.read_text()
    served.home.registry.write_text(kept)
    served.join("alpha", renew=True)
    with pytest.raises(RefusedError, match="not in the registry"):
        client.get_tasks()
    served.client("alpha").beat()
    assert served.carrier.present() == ["alpha"]


def test_a_site_that_is_revoked_while_it_works_is_not_waited_for(served: Served) -> None:
    client = served.client("alpha")
    number = opened(served, b"order", "alpha", "beta")
    client.beat()
    MACHINES.revoke(PLAN, served.federation, "alpha")
    found = served.carrier.answer(5.0)
    assert found is not None
    assert (found.site, found.failure) == ("alpha", "revoked")
    with pytest.raises(RefusedError, match="alpha was revoked on"):
        send(client, number, answer(number, b"x"))
    assert served.carrier.answer(0.1) is None
    assert served.carrier.present() == []


def test_of_two_processes_of_one_site_the_last_one_stays(served: Served) -> None:
    first, second = served.client("alpha"), served.client("alpha")
    first.beat()
    second.beat()
    with pytest.raises(
        RefusedError, match="another process of alpha has come in since; only the last one stays"
    ):
        first.beat()
    second.beat()


def test_an_order_that_a_killed_process_had_is_handed_out_again(served: Served) -> None:
    first, second = served.client("alpha"), served.client("alpha")
    number = opened(served)
    assert len(first.get_tasks()[0]) == 2
    send(first, number, task=words.READ)
    assert [task.name for task in second.get_tasks()[0]] == [words.WORK]


def test_another_version_of_cryofed_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryofed.federation.engines.openfl.calls.__version__", "0.0.9")
    with pytest.raises(RefusedError, match=r"beta runs cryofed 0\.0\.9, the aggregator .*; install the same"):
        served.client("beta").get_tasks()


def test_a_message_that_is_too_large_is_refused_before_it_is_read(served: Served) -> None:
    number = opened(served)
    chunk = inside.base_pb2.DataStream(npbytes=bytes(words.LARGEST_MESSAGE + 1), size=0)
    with pytest.raises(inside.grpc.RpcError) as refused:
        served.client("alpha").stub.SendLocalTaskResults(iter([chunk]))
    assert refused.value.code() == inside.grpc.StatusCode.RESOURCE_EXHAUSTED
    assert served.link.desk.awaits("alpha", number)


def test_what_sites_do_not_need_is_not_there(served: Served) -> None:
    client = served.client("alpha")
    with pytest.raises(inside.grpc.RpcError) as refused:
        client.stub.InteropRelay(inside.aggregator_pb2.InteropMessage())
    assert refused.value.code() == inside.grpc.StatusCode.UNIMPLEMENTED


def test_a_site_that_asks_too_much_at_a_time_is_refused_and_nobody_else(served: Served) -> None:
    greedy, other = served.client("alpha"), served.client("beta")
    header = inside.aggregator_pb2.MessageHeader(
        sender="alpha", receiver=words.AGGREGATOR, federation_uuid=PLAN.name
    )
    asked = [
        greedy.stub.GetTasks.future(inside.aggregator_pb2.GetTasksRequest(header=header)) for _ in range(12)
    ]
    other.beat()
    codes = [one.code() for one in asked]
    assert codes.count(inside.grpc.StatusCode.RESOURCE_EXHAUSTED) >= 1
    assert codes.count(inside.grpc.StatusCode.OK) >= 1

"""Is a site there? On FLARE any member can send all; only the aggregator may ask, only the site answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from tests.contract import toy
from tests.contract.flare_harness import SECRET, FlareInProcess, Wire, carrier_of, learner_of

from cryofed.federation.engines.flare.coordinator.desk import SITE_APP, write_job
from cryofed.federation.engines.flare.pings import ALIVE, Question, new_question, secret_of
from cryofed.federation.engines.flare.site.executor import SiteExecutor

HOSTILE, VICTIM = "alpha", "beta"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    harness = FlareInProcess()
    with learner_of("tests.contract.toy_learner"):
        wire = harness._start([HOSTILE, VICTIM])
        wire.sites = [HOSTILE, VICTIM]
        harness._settle(wire)
        yield wire


def asked(wire: Wire, request: Shareable) -> Shareable:
    """What the victim says."""
    reply = wire.handlers[VICTIM][ALIVE](ALIVE, request, FLContext())
    assert isinstance(reply, Shareable)
    return reply


@pytest.mark.parametrize(
    "words",
    [{}, {"nonce": "1", "proof": ""}, {"nonce": "\ud800", "proof": "\ud800"}, {"nonce": 1, "proof": ["x"]}],
)
def test_a_stranger_that_asks_hears_nothing(wire: Wire, words: dict[str, object]) -> None:
    request = Shareable()
    request.update(words)
    reply = asked(wire, request)
    assert reply.get_return_code() == ReturnCode.BAD_REQUEST_DATA
    assert set(reply) == set(make_reply(ReturnCode.BAD_REQUEST_DATA))


def test_a_member_that_asks_with_its_own_secret_hears_nothing(wire: Wire) -> None:
    reply = asked(wire, new_question(secret_of(HOSTILE, SECRET)).request())
    assert set(reply) == set(make_reply(ReturnCode.BAD_REQUEST_DATA))


def test_a_site_without_a_secret_answers_nobody() -> None:
    executor = SiteExecutor()
    reply = executor._alive(ALIVE, new_question("").request(), FLContext())
    assert reply.get_return_code() == ReturnCode.BAD_REQUEST_DATA


def test_the_aggregator_hears_a_site_and_whether_it_is_ready(wire: Wire) -> None:
    question = new_question(secret_of(VICTIM, SECRET))
    assert question.answered(asked(wire, question.request())) is True
    starting = SiteExecutor(secret_of(VICTIM, SECRET))  # it has no learner
    assert question.answered(starting._alive(ALIVE, question.request(), FLContext())) is False


def test_an_answer_that_was_recorded_is_none_to_the_next_question(wire: Wire) -> None:
    first, second = (new_question(secret_of(VICTIM, SECRET)) for _ in range(2))
    recorded = asked(wire, first.request())
    assert first.answered(recorded) is True
    assert second.answered(recorded) is None


def test_no_other_member_is_present_in_a_dead_sites_name(wire: Wire, tmp_path: Path) -> None:
    """The hostile site answers at once in the dead one's place, with all that it may have heard."""
    carrier = carrier_of(wire, tmp_path, toy.plan((HOSTILE, VICTIM)))
    send = wire.send_aux_request
    assert sorted(carrier.present()) == [HOSTILE, VICTIM]
    recorded = asked(wire, new_question(secret_of(VICTIM, SECRET)).request())
    echo = make_reply(ReturnCode.OK)
    echo["ready"] = True  # all that was asked for before

    for forged in (recorded, echo, "own"):

        def sent(targets: list[str], topic: str, request: Any, forged: Any = forged, **rest: Any) -> Any:
            if targets == [HOSTILE]:
                return send(targets, topic, request, **rest)
            if forged == "own":
                mine = Question(secret_of(HOSTILE, SECRET), request["nonce"]).request()
                forged = wire.handlers[HOSTILE][ALIVE](ALIVE, mine, FLContext())
                assert forged.get_return_code() == ReturnCode.OK
            return {VICTIM: forged}

        wire.send_aux_request = sent  # type: ignore[method-assign]  # the attacker sits on the wire
        try:
            assert carrier.present() == [HOSTILE]
        finally:
            del wire.send_aux_request  # type: ignore[method-assign]  # and leaves it
    carrier.close()


def test_each_site_gets_its_own_secret_and_no_other_file_of_the_job(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", "segment", [HOSTILE, VICTIM])
    deployed = json.loads((job / "meta.json").read_text())["deploy_map"]
    assert sorted(deployed.values()) == [[HOSTILE], [VICTIM], ["server"]]
    server = json.loads((job / "server/config/config_fed_server.json").read_text())
    segment = server["workflows"][0]["args"]["secret"]
    mine, other = (f"{SITE_APP}{name}/config/config_fed_client.json" for name in (HOSTILE, VICTIM))
    secret = json.loads((job / other).read_text())["executors"][0]["executor"]["args"]["secret"]
    assert secret == secret_of(VICTIM, segment)
    assert len(segment) == len(secret) == 64
    assert secret not in (job / mine).read_text()
    for name in (mine, other):
        assert segment not in (job / name).read_text()

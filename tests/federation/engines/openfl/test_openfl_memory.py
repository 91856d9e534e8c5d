"""However many sites send at once, the aggregator holds the bytes of one answer."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from tests.federation.engines.openfl.served import Served, answer

from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.service import Service

SIZE = 64 << 20  # bytes of an answer


def test_a_result_that_is_still_told_does_not_keep_its_bytes(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(served.link.desk, served.link.door)
    monkeypatch.setattr(service, "_enter", lambda *_: "alpha")
    served.link.desk.most_bytes = 2 * SIZE
    header = inside.aggregator_pb2.MessageHeader(sender="alpha")
    sent = inside.aggregator_pb2.TaskResults(
        header=header, round_number=1, task_name=words.WORK, tensors=[answer(1, bytes(SIZE))]
    ).SerializeToString()
    chunks = [inside.base_pb2.DataStream(npbytes=sent)]
    before = psutil.Process().memory_info().rss
    kept = [service._read("alpha", iter(chunks), tmp_path / "answer", None) for _ in range(4)]
    assert [(one.failure, one.header.sender) for one in kept] == [("", "alpha")] * 4
    assert (tmp_path / "answer").stat().st_size == SIZE
    assert psutil.Process().memory_info().rss - before < SIZE  # four would be kept, each by its header

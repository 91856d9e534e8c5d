"""`make demo ENGINE=...` in small: the story goes over real processes to its report."""

from pathlib import Path

import pytest
from tests.federation.engines.remote.real import REMOTE

from cryofed.demo.story import Settings, tell_story
from cryofed.errors import MissingPackageError
from cryofed.federation.engines.deployment import machines_of

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("engine", REMOTE)
def test_the_demo_ends_with_a_report(engine: str, tmp_path: Path) -> None:
    try:
        machines_of(engine).need()
    except MissingPackageError as error:
        pytest.skip(str(error))  # it names the extra that is missing
    small = Settings(sites=2, projects=6, unseen=2, rounds=2, steps=2, batch=32, engine=engine)
    story = tell_story(tmp_path / "demo", small, lambda *_: None)
    assert len(story.curve) == 1 + small.rounds
    assert set(story.bytes_sent) == set(story.local)
    assert all(story.bytes_sent.values())

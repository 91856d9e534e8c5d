"""`make demo ENGINE=...` in small: the story goes over real processes to its report."""

from pathlib import Path

import pytest

from cryofed.demo.story import Settings, tell_story
from cryofed.errors import MissingPackageError
from cryofed.federation.agreement.engines import engine_names
from cryofed.federation.engines.deployment import deployment_of, machines_of
from cryofed.federation.engines.remote.engine import RemoteEngine

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600)]

REMOTE = [name for name in engine_names() if isinstance(deployment_of(name), RemoteEngine)]


@pytest.mark.parametrize("engine", REMOTE)
def test_the_demo_ends_with_a_report(engine: str, tmp_path: Path) -> None:
    try:
        machines_of(engine).need()
    except MissingPackageError as error:
        pytest.skip(str(error))
    small = Settings(sites=2, projects=6, unseen=2, rounds=2, steps=2, batch=32, engine=engine)
    story = tell_story(tmp_path / "demo", small, lambda *_: None)
    assert len(story.curve) == 1 + small.rounds
    assert set(story.bytes_sent) == set(story.local)
    assert all(story.bytes_sent.values())

"""Every client tells every story. One test is one client and one story; a skip says what the client lacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.clients import (  # noqa: F401  # they put themselves on the list
    stories_of_deaths,
    stories_of_groups,
    stories_of_topics,
)
from conformance.clients.play import Scene, play
from conformance.clients.programs import Missing
from conformance.clients.roster import NAMES, SLOW, Troupe
from conformance.clients.stories import STORIES, Story
from conformance.clients.targets import Target
from conformance.clients.verbs import Client

# kafka-python and others forget to close a socket whose connection was refused, as a dead broker's is.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
CLIENTS = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]


@pytest.fixture(scope="session")
def troupe() -> Iterator[Troupe]:
    """The clients that are programs live as long as the run."""
    troupe = Troupe()
    yield troupe
    troupe.close()


@pytest.mark.parametrize("story", STORIES, ids=[story.slug for story in STORIES])
@pytest.mark.parametrize("name", CLIENTS)
def test_story(story: Story, name: str, target: Target, troupe: Troupe) -> None:
    try:
        with troupe.client(name, target.bootstrap) as client:
            reason = _why_not(story, client, target)
            if reason is None:
                _tell(story, Scene(client, target, lambda: troupe.mortal(name, target.bootstrap)))
    except Missing as missing:
        reason = str(missing)
    if reason is not None:
        pytest.skip(reason)


def _why_not(story: Story, client: Client, target: Target) -> str | None:
    """What the story needs and this client, or this broker, does not have."""
    for need in story.needs:
        if reason := target.lacks.get(need) or client.lacks.get(need):
            return f"no {need.value}: {reason}"
    return None


def _tell(story: Story, scene: Scene) -> None:
    try:
        for step in story.steps:
            play(step, scene)
        story.verdict(scene)
    finally:
        scene.close()
        if scene.target.deaths is not None:
            scene.target.deaths.mend()

"""Every client tells every story. One test is one client and one story; a skip says what the client lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from conformance.clients import (  # noqa: F401  # they put themselves on the list
    stories_of_groups,
    stories_of_topics,
)
from conformance.clients.aiokafka.adapter import Aiokafka
from conformance.clients.confluent.adapter import Confluent
from conformance.clients.kafka_python.adapter import KafkaPython
from conformance.clients.kcat import adapter as kcat
from conformance.clients.play import Scene, play
from conformance.clients.stories import STORIES, Story
from conformance.clients.targets import Target
from conformance.clients.verbs import Client

CLIENTS: dict[str, Callable[[str], Client]] = {
    "kafka-python": KafkaPython,
    "confluent": Confluent,
    "aiokafka": Aiokafka,
    "kcat": kcat.Kcat,
}
MISSING = {name: reason for name, reason in {"kcat": kcat.why_missing()}.items() if reason}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, target: Target) -> Iterator[Client]:
    """One client of the target, closed after the story."""
    if request.param in MISSING:
        pytest.skip(MISSING[request.param])
    client = CLIENTS[request.param](target.bootstrap)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("story", STORIES, ids=[story.slug for story in STORIES])
def test_story(story: Story, client: Client, target: Target) -> None:
    for need in story.needs:
        if reason := target.lacks.get(need) or client.lacks.get(need):
            pytest.skip(f"no {need.value}: {reason}")
    scene = Scene(client, target)
    try:
        for step in story.steps:
            play(step, scene)
        story.verdict(scene)
    finally:
        scene.close()

"""One client tells one story to one target; and how long it was speechless after a broker's death.

What the tests and the repetitions (in_a_row.py) share.  A story that this client cannot tell, or that this
target cannot be told, is Untold with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.clients import stories_of_deaths, stories_of_groups, stories_of_topics
from conformance.clients.play import Scene, play
from conformance.clients.programs import Missing
from conformance.clients.roster import Troupe
from conformance.clients.steps import Consume, Produce, Step
from conformance.clients.stories import STORIES, Story
from conformance.clients.targets import Target
from conformance.clients.verbs import Client

# Each of these puts its stories on the one list when it is imported; nothing else is wanted of them.
_KINDS = (stories_of_deaths, stories_of_groups, stories_of_topics)
STORIES_TOLD = tuple(STORIES)


class Untold(Exception):
    """The client or the target lacks what the story needs, or the client cannot be had. Says what."""


@dataclass(frozen=True)
class Played:
    """A step, and when it began and ended (monotonic seconds)."""

    step: Step
    began: float
    ended: float


def tell(story: Story, name: str, target: Target, troupe: Troupe) -> float | None:
    """Play the story and judge it; gives the seconds from a death to the recovery, if a broker died."""
    try:
        with troupe.client(name, target.bootstrap) as client:
            if reason := _why_not(story, client, target):
                raise Untold(reason)
            return _tell(story, Scene(client, target, lambda: troupe.mortal(name, target.bootstrap)))
    except Missing as missing:
        raise Untold(str(missing)) from missing


def _why_not(story: Story, client: Client, target: Target) -> str | None:
    """What the story needs and this client, or this broker, does not have."""
    for need in story.needs:
        if reason := target.lacks.get(need) or client.lacks.get(need):
            return f"no {need.value}: {reason}"
    return None


def _tell(story: Story, scene: Scene) -> float | None:
    deaths, diary = scene.target.deaths, []
    try:
        for step in story.steps:
            began = time.monotonic()
            play(step, scene)
            diary.append(Played(step, began, time.monotonic()))
        story.verdict(scene)
        return None if deaths is None or deaths.died_at is None else recovery_s(deaths.died_at, diary)
    finally:
        scene.close()
        if deaths is not None:
            deaths.mend()


def recovery_s(died_at: float, diary: Sequence[Played]) -> float | None:
    """Seconds from the death until the client has consumed what there was for it to consume.

    In a story that only produces: until the send is acknowledged that the death held up, the longest one.
    None if the story does neither after the death.
    """
    after = [played for played in diary if played.ended > died_at]
    if consumed := [played for played in after if isinstance(played.step, Consume)]:
        return consumed[0].ended - died_at
    sends = [played for played in after if isinstance(played.step, Produce)]
    if not sends:
        return None
    return max(sends, key=lambda played: played.ended - max(played.began, died_at)).ended - died_at

"""Every client tells every story. One test is one client and one story; a skip says what the client lacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.clients.keeping import RECOVERY
from conformance.clients.roster import NAMES, SLOW, Troupe
from conformance.clients.stories import Story
from conformance.clients.targets import Target
from conformance.clients.telling import STORIES_TOLD, Untold, tell

# kafka-python and others forget to close a socket whose connection was refused, as a dead broker's is.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
CLIENTS = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]


@pytest.mark.parametrize("story", STORIES_TOLD, ids=[story.slug for story in STORIES_TOLD])
@pytest.mark.parametrize("name", CLIENTS)
def test_story(
    story: Story,
    name: str,
    target: Target,
    troupe: Troupe,
    record_property: Callable[[str, object], None],
) -> None:
    try:
        seconds = tell(story, name, target, troupe)
    except Untold as reason:
        pytest.skip(str(reason))
    if seconds is not None:
        record_property(RECOVERY, seconds)

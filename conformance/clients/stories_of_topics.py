"""The stories of topics themselves: created, grown, deleted, and recreated behind a client's back.

They are added to the one list of stories.py.
"""

from __future__ import annotations

from conformance.clients.play import Scene
from conformance.clients.steps import (
    AddPartitions,
    CreateTopic,
    DeleteTopic,
    Describe,
    Lookup,
    Make,
    Open,
    Produce,
    Remake,
    Take,
)
from conformance.clients.stories import ABC, records, story
from conformance.clients.verbs import Need


@story(
    "a topic that was created can be described and used",
    CreateTopic("orders", partitions=3),
    Describe("orders", partitions=3),
    Produce("orders", records("a", partition=2)),
    needs=(Need.ADMIN, Need.DESCRIBE),
)
def _(scene: Scene) -> None:
    assert scene.target.partition_count(scene.called("orders")) == 3
    assert scene.end_offset("orders", 2) == 1


@story(
    "a topic made behind its back can be described",
    Make("orders", partitions=5),
    Describe("orders", partitions=5),
    needs=(Need.DESCRIBE,),
)
def _(scene: Scene) -> None:
    assert scene.found["described"] == 5


@story(
    "partitions that were added can be written to",
    CreateTopic("orders", partitions=1),
    Describe("orders", partitions=1),
    AddPartitions("orders", total=4),
    Describe("orders", partitions=4),
    Produce("orders", records("late", partition=3)),
    Open("reader", "orders", partitions=(3,)),
    Take("reader", 1),
    needs=(Need.ADMIN, Need.DESCRIBE),
)
def _(scene: Scene) -> None:
    assert scene.end_offset("orders", 3) == 1
    assert [(record.partition, record.value) for record in scene.seen["seen"]] == [(3, b"late")]


@story(
    "a topic that was deleted is gone",
    CreateTopic("orders", partitions=2),
    Describe("orders", partitions=2, into="before"),
    DeleteTopic("orders"),
    Describe("orders", partitions=None),
    needs=(Need.ADMIN, Need.DESCRIBE),
)
def _(scene: Scene) -> None:
    assert scene.found == {"before": 2, "described": None}


@story(
    "a topic recreated behind the client's back starts empty",
    Make("orders"),
    Produce("orders", ABC),
    Remake("orders"),
    Lookup("orders", "latest", into="latest"),
)
def _(scene: Scene) -> None:
    assert scene.found["latest"] == 0
    assert scene.values("orders") == []


@story(
    "a producer that knew the old topic writes to the recreated one",
    Make("orders"),
    Produce("orders", ABC),
    Remake("orders"),
    Produce("orders", records("d"), into="later"),
    needs=(Need.LASTING_PRODUCER,),
)
def _(scene: Scene) -> None:
    assert scene.values("orders") == [b"d"]
    assert scene.offsets["later"] == [0]

"""What consumers put into the bytes that a coordinator passes on: subscriptions and assignments.

To the classic protocol these bytes are opaque, and other protocol types ("connect") fill them differently.
A broker looks inside for two reasons: to know which topics a group subscribes to, and to show people who owns
what.  Whatever a client sends, reading it is bounded and raises nothing but ValueError.
"""

# No `from __future__ import annotations`: declarations need their annotations at run time.
from collections.abc import Mapping
from typing import Annotated, Any

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.schema import message, schema_of, struct
from mockbroker.protocol.types import Bytes, Int32, Str, since

# The protocol type of groups whose bytes follow the layouts below.
CONSUMER = "consumer"

_NO_API = -1


@struct
class TopicPartitions:
    """Some partitions of one topic."""

    topic: Str = ""
    partitions: list[Int32] = []  # noqa: RUF012 - a declaration: every message gets its own list


@message(api=_NO_API, versions="0-3", flexible=None)
class Subscription:
    """What one member wants.  v1 what it owns (KIP-429) - v2 since when (KIP-792) - v3 its rack (KIP-881)."""

    topics: list[Str] = []  # noqa: RUF012 - as above
    user_data: Bytes | None = None
    owned_partitions: Annotated[list[TopicPartitions], since(1)] = []  # noqa: RUF012 - as above
    generation_id: Annotated[Int32, since(2)] = -1
    rack_id: Annotated[str | None, since(3)] = None


@message(api=_NO_API, versions="0-3", flexible=None)
class Assignment:
    """What one member gets.  The layout is the same in every version."""

    assigned_partitions: list[TopicPartitions] = []  # noqa: RUF012 - as above
    user_data: Bytes | None = None


def parse_subscription(data: bytes) -> Subscription:
    """Read a member's metadata of a consumer protocol; ValueError when it is none."""
    subscription: Subscription = _opened(Subscription, data)
    return subscription


def parse_assignment(data: bytes) -> dict[str, list[int]]:
    """The partitions of an assignment, by topic; no bytes at all mean none; ValueError when it is none."""
    if not data:
        return {}
    owned: dict[str, list[int]] = {}
    for part in _opened(Assignment, data).assigned_partitions:
        owned.setdefault(part.topic, []).extend(part.partitions)
    return owned


def write_subscription(subscription: Subscription, version: int = 3) -> bytes:
    """The bytes of a subscription."""
    return _sealed(subscription, version)


def write_assignment(
    partitions: Mapping[str, list[int]], version: int = 3, user_data: bytes | None = None
) -> bytes:
    """The bytes of an assignment of these partitions."""
    parts = [TopicPartitions(topic=topic, partitions=list(indexes)) for topic, indexes in partitions.items()]
    return _sealed(Assignment(assigned_partitions=parts, user_data=user_data), version)


def _opened(layout: type[Any], data: bytes) -> Any:
    if len(data) < 2:
        raise MalformedMessage(
            f"a {layout.__name__.lower()} begins with two bytes of version, not {bytes(data)!r}"
        )
    version = int.from_bytes(data[:2], "big", signed=True)
    if version < 0:
        raise MalformedMessage(f"a {layout.__name__.lower()} of version {version}")
    # Newer versions may only add fields at the end, so the newest known layout reads what it knows of them.
    return decode(layout, min(version, schema_of(layout).versions.last), data, 2)


def _sealed(body: object, version: int) -> bytes:
    return version.to_bytes(2, "big") + b"".join(bytes(part) for part in encode(body, version))

"""Which names topics may have.

Kafka's rules: a topic's name is also a directory's and, with dots as underscores, a metric's.  Knows names and
which of them are taken; does not know who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mockbroker.protocol.errors import ErrorCode, KafkaError

# A directory name of 255 bytes, less "-" and room for the number of the partition.
NAME_LENGTH_MAX = 249

# The log of the metadata quorum looks like a topic but is none that a client could make or delete.
CLUSTER_METADATA_TOPIC = "__cluster_metadata"

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def fault_of_name(name: str) -> str | None:
    """What is wrong with a topic's name taken alone, or None."""
    if not name:
        return "Topic name is invalid: the empty string is not allowed"
    if name in (".", ".."):
        return f"Topic name is invalid: '{name}' is not allowed"
    if len(name) > NAME_LENGTH_MAX:
        return (
            f"Topic name is invalid: the length of '{name}' is longer than the max allowed length "
            f"{NAME_LENGTH_MAX}"
        )
    if not _LEGAL.fullmatch(name):
        return (
            f"Topic name is invalid: '{name}' contains one or more characters other than "
            "ASCII alphanumerics, '.', '_' and '-'"
        )
    return None


def metric_name(name: str) -> str:
    """What a topic is called among metrics, where '.' and '_' are one character."""
    return name.replace(".", "_")


class Collisions:
    """The names already taken, as metrics see them.  Made once for many questions."""

    def __init__(self, names: Iterable[str]) -> None:
        # Only names with one of the two characters can collide with any but themselves.
        self._taken = {metric_name(name): name for name in names if "." in name or "_" in name}

    def with_(self, name: str) -> str | None:
        """The other topic that `name` would collide with, or None."""
        other = self._taken.get(metric_name(name))
        return None if other == name else other

    def add(self, name: str) -> None:
        """`name` is taken from now on."""
        if "." in name or "_" in name:
            self._taken.setdefault(metric_name(name), name)


def check_name(name: str, collisions: Collisions) -> None:
    """Raise KafkaError 17 where no topic may be made with this name."""
    fault = fault_of_name(name)
    if fault is None and (other := collisions.with_(name)) is not None:
        fault = f"Topic '{name}' collides with existing topic: {other}"
    if fault is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, fault)

"""What a cluster is asked to be: the arguments of `Cluster`, the fixtures and the marker, checked on entry.

Whatever can be known to be wrong before a port is opened is refused here, with a sentence that says what was
expected.  Broker settings are judged by the core.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mockbroker.core.usage import UsageError
from mockbroker.core.world import World

# The newest release that is emulated, and so far the only one.
VERSION = "4.4"

# A thousand brokers are more than anyone has; it is a bound, so that a typo does not open a million ports.
BROKERS_MAX = 1_000

DEFAULT_WAIT_S = 5.0

Duration = str | float | int

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(duration: Duration) -> int:
    """Milliseconds of "45s", "200ms", "7d", or of a number of seconds.

    >>> duration_ms("1.5s")
    1500
    >>> duration_ms(2)
    2000
    """
    if isinstance(duration, int | float) and not isinstance(duration, bool):
        if duration < 0:
            raise UsageError(f"a duration cannot be negative: {duration!r}")
        return round(duration * 1_000)
    read = _DURATION.fullmatch(duration.strip()) if isinstance(duration, str) else None
    if read is None:
        raise UsageError(f"{duration!r} is no duration: write '45s', '200ms', '2m', '1h', '7d', or a number of seconds")
    return round(float(read[1]) * _UNIT_MS[read[2]])


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """The arguments of `Cluster`, meaning the same wherever they are given; see there."""

    brokers: int | Sequence[int] = 3
    topics: Mapping[str, int] | Sequence[str] = field(default_factory=dict)
    version: str = VERSION
    seed: int | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    defaults: str = "friendly"
    racks: Sequence[str] = ()
    host: str = "127.0.0.1"
    ports: Sequence[int] = ()
    wait: Duration = DEFAULT_WAIT_S

    def __post_init__(self) -> None:
        ids = self.node_ids
        if not 1 <= len(ids) <= BROKERS_MAX or len(set(ids)) < len(ids) or min(ids) < 0:
            raise UsageError(f"brokers={self.brokers!r}: give a number from 1 to {BROKERS_MAX}, or distinct ids from 0 up")
        if self.version != VERSION:
            raise UsageError(f"version={self.version!r}: mockbroker emulates Kafka {VERSION} and no other release yet")
        if self.defaults not in ("friendly", "kafka"):
            raise UsageError(f"defaults={self.defaults!r}: expected 'friendly' or 'kafka'")
        for name, given in (("racks", self.racks), ("ports", self.ports)):
            if given and len(given) != len(ids):
                raise UsageError(f"{name} has {len(given)} entries for {len(ids)} brokers: give one for each")
        duration_ms(self.wait)

    @classmethod
    def of(cls, **given: Any) -> ClusterOptions:
        """Options of keyword arguments; an unknown one is an error that names those there are."""
        unknown = sorted(set(given) - set(cls.__slots__))
        if unknown:
            raise UsageError(f"no cluster option {', '.join(map(repr, unknown))}: there are {', '.join(cls.__slots__)}")
        return cls(**given)

    @property
    def node_ids(self) -> tuple[int, ...]:
        """The ids of the brokers: as given, or from 1 up."""
        if isinstance(self.brokers, int):
            return tuple(range(1, self.brokers + 1))
        return tuple(self.brokers)

    @property
    def first_topics(self) -> dict[str, int]:
        """Topics to begin with, and their numbers of partitions."""
        if isinstance(self.topics, Mapping):
            return dict(self.topics)
        return dict.fromkeys(self.topics, 1)

    @property
    def port_of(self) -> dict[int, int]:
        """Fixed ports by broker; none for free ones."""
        return dict(zip(self.node_ids, self.ports, strict=False))

    def new_world(self, seed: int) -> World:
        """The brokers, at the time that it is now.  Raises UsageError where a setting makes no sense."""
        return World(
            brokers=self.node_ids,
            racks=dict(zip(self.node_ids, self.racks, strict=False)),
            config=self.config,
            friendly=self.defaults == "friendly",
            random=random.Random(seed),
            now_ms=time.time_ns() // 1_000_000,
        )


def new_seed() -> int:
    """A seed for a run that did not ask for one; it is told, so that the run can be had again."""
    return random.SystemRandom().randrange(2**32)

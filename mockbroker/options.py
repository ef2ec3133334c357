"""What a cluster is asked to be: the arguments of `Cluster`, the fixtures and the marker, checked on entry.

Whatever can be known to be wrong before a port is opened is refused here, with a sentence that says what was
expected.  Broker settings are judged by the core.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from mockbroker.core.durations import Duration as Duration  # noqa: PLC0414 - handed on, under its old name
from mockbroker.core.durations import duration_ms as duration_ms  # noqa: PLC0414 - like Duration
from mockbroker.core.usage import UsageError
from mockbroker.core.world import World

# The newest release that is emulated, and so far the only one.
VERSION = "4.4"

# A thousand brokers are more than anyone has; it is a bound, so that a typo does not open a million ports.
BROKERS_MAX = 1_000

DEFAULT_WAIT_S = 5.0

PORT_MAX = 65_535

# Closing takes two seconds at most, whatever clients do, and needs a little of that itself.
DRAIN_MAX_MS = 1_500


class GivenOptions(TypedDict, total=False):
    """The arguments of `Cluster`, as type checkers and editors know them; `ClusterOptions` checks them."""

    brokers: int | Sequence[int]
    topics: Mapping[str, int] | Sequence[str]
    version: str
    seed: int | None
    config: Mapping[str, object]
    defaults: str
    racks: Sequence[str]
    host: str
    ports: Sequence[int]
    wait: Duration
    history: bool
    log_wire: bool | str | Path
    strict_faults: bool
    drain: Duration


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
    history: bool = True
    log_wire: bool | str | Path = False
    strict_faults: bool = True
    drain: Duration = 0

    def __post_init__(self) -> None:
        self._check_kinds()
        # A range is a sequence that takes no memory, however large the number that was mistyped.
        ids = range(1, self.brokers + 1) if isinstance(self.brokers, int) else self.brokers
        few = 1 <= len(ids) <= BROKERS_MAX
        if not few or len(set(ids)) < len(ids) or not 0 <= min(ids) <= max(ids) < 2**31:
            raise UsageError(
                f"brokers={self.brokers!r}: give a number from 1 to {BROKERS_MAX}, or distinct ids from 0 up"
            )
        if self.version != VERSION:
            raise UsageError(
                f"version={self.version!r}: mockbroker emulates Kafka {VERSION} and no other release yet"
            )
        if self.defaults not in ("friendly", "kafka"):
            raise UsageError(f"defaults={self.defaults!r}: expected 'friendly' or 'kafka'")
        for name, given in (("racks", self.racks), ("ports", self.ports)):
            if given and len(given) != len(ids):
                raise UsageError(f"{name} has {len(given)} entries for {len(ids)} brokers: give one for each")
        duration_ms(self.wait)
        if duration_ms(self.drain) > DRAIN_MAX_MS:
            raise UsageError(
                f"drain={self.drain!r}: expected at most {DRAIN_MAX_MS / 1_000:g} s, "
                "for a cluster is closed within two seconds; end your clients before it"
            )

    def _check_kinds(self) -> None:
        """What comes from a marker, or from code that nobody type-checks, may be of some other kind."""
        for name, right, expected in (
            ("brokers", _all_numbers(self.brokers), "a number, or a list of ids"),
            ("topics", _names_topics(self.topics), "{name: partitions}, or a list of names"),
            ("seed", self.seed is None or _is_number(self.seed), "a whole number"),
            ("config", isinstance(self.config, Mapping), "{setting: value}, by Kafka's names"),
            ("racks", not isinstance(self.racks, str), "a list with the rack of each broker"),
            ("ports", _are_ports(self.ports), f"a list with the port of each broker, 0 to {PORT_MAX}"),
            ("history", isinstance(self.history, bool), "True, or False to keep none"),
            ("strict_faults", isinstance(self.strict_faults, bool), "True, or False to let them be idle"),
            ("log_wire", isinstance(self.log_wire, bool | str | Path), "True for standard error, or a file"),
        ):
            if not right:
                raise UsageError(f"{name}={getattr(self, name)!r}: expected {expected}")

    @classmethod
    def of(cls, **given: Any) -> ClusterOptions:
        """Options of keyword arguments; an unknown one is an error that names those there are."""
        unknown = sorted(set(given) - set(cls.__slots__))
        if unknown:
            raise UsageError(
                f"no cluster option {', '.join(map(repr, unknown))}: there are {', '.join(cls.__slots__)}"
            )
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

    @property
    def drain_s(self) -> float:
        """How long clients have to hang up, in seconds."""
        return duration_ms(self.drain) / 1_000

    def new_world(self, seed: int) -> World:
        """The brokers, at the time that it is now.  Raises UsageError where a setting makes no sense."""
        world = World(
            brokers=self.node_ids,
            racks=dict(zip(self.node_ids, self.racks, strict=False)),
            config=self.config,
            friendly=self.defaults == "friendly",
            random=random.Random(seed),
            now_ms=time.time_ns() // 1_000_000,
        )
        world.history.keeps = self.history
        return world


def new_seed() -> int:
    """A seed for a run that did not ask for one; it is told, so that the run can be had again."""
    return random.SystemRandom().randrange(2**32)


def _is_number(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _all_numbers(given: object) -> bool:
    """Whether it is a number, or several."""
    return all(map(_is_number, given)) if isinstance(given, Sequence) else _is_number(given)


def _are_ports(given: object) -> bool:
    return isinstance(given, Sequence) and all(_is_number(port) and 0 <= port <= PORT_MAX for port in given)


def _names_topics(given: object) -> bool:
    if isinstance(given, Mapping):
        return all(map(_is_number, given.values()))
    return isinstance(given, Sequence) and not isinstance(given, str)

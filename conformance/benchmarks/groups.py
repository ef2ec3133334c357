"""Groups: how long three consumers take to become a group, and two to notice that the third has left.

Classic protocol.  Members share a topic of four partitions and are polled in turn; a group is formed when
all three own something and nothing is owned twice or not at all.  Heartbeats are quick, because by default
a client notices a rebalance three seconds late and every broker would look the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer

from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, PARTITIONS, Target

MEMBERS = 3
HEARTBEAT_MS = 100
# Short enough that three members are looked at in turn, long enough to leave the CPU to brokers.
POLL_S = 0.002


def _shares(members: list[Consumer]) -> list[set[int]]:
    return [{place.partition for place in member.assignment()} for member in members]


def _until_shared(members: list[Consumer]) -> None:
    """Poll all members in turn until each owns something and together they own everything once."""
    deadline = time.perf_counter() + ANSWER_TIMEOUT_S
    while True:
        for member in members:
            member.poll(POLL_S)
        shares = _shares(members)
        if all(shares) and sum(map(len, shares)) == PARTITIONS == len(set().union(*shares)):
            return
        if time.perf_counter() > deadline:
            raise TimeoutError(f"no group of {len(members)} in {ANSWER_TIMEOUT_S:g} s: {shares}")


@contextlib.contextmanager
def _members(target: Target, topic: str) -> Iterator[list[Consumer]]:
    group = target.new_name("group")
    settings = target.client(
        group_id=group,
        heartbeat_interval_ms=HEARTBEAT_MS,
        session_timeout_ms=6_000,
        enable_auto_commit=False,
        partition_assignment_strategy="range",
    )
    with contextlib.ExitStack() as closing:
        members = [Consumer(settings) for _ in range(MEMBERS)]
        for member in members:
            closing.callback(member.close)
            member.subscribe([topic])
        yield members


def _timed_ms(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1_000


def forming_ms(target: Target) -> float:
    """From no client at all to a group of three that has shared out a topic."""
    with target.topic("shared") as topic:
        started = time.perf_counter()
        with _members(target, topic) as members:
            _until_shared(members)
            return (time.perf_counter() - started) * 1_000


def losing_ms(target: Target) -> float:
    """From one member's `close` until the other two own everything."""
    with target.topic("shared") as topic, _members(target, topic) as members:
        _until_shared(members)
        leaver, *rest = members

        def lose() -> None:
            leaver.close()
            _until_shared(rest)

        return _timed_ms(lose)


MEASURES = (
    Measure("group of three formed", "ms", forming_ms, aims=(Aim(1.0, "kafka"),), rounds_max=5),
    Measure("group lost a member", "ms", losing_ms, aims=(Aim(1.0, "kafka"),), rounds_max=5),
)

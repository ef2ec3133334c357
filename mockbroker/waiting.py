"""The only calls of a test that block: waiting for something to become so in the brokers.

A condition is looked at after every step of the world, so a wait ends in the very step that fulfils it, and
nobody sleeps.  Every wait has a deadline, and one that passes it says who waits for what.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from mockbroker.evidence import gather, opened
from mockbroker.timeline.diagnoses import diagnose
from mockbroker.timeline.reading import clean
from mockbroker.timeline.report import diagnosis_lines, timeline_lines
from mockbroker.timeline.rows import EVENTS_READ_MAX

if TYPE_CHECKING:
    from mockbroker.core.world import World
    from mockbroker.server.run import Server

T = TypeVar("T")

# How much of the timeline a failed wait tells; more is in the report of the test, and in the history itself.
ROWS_TOLD = 12


class WaitTimeout(AssertionError):
    """Something that a test waited for did not become so in time.

    `str` tells who waits for what, what is probably the matter, and the end of the timeline; `brief` the first of
    these only, for whoever prints a whole report beside it.

    >>> with pytest.raises(WaitTimeout, match="waited 1 s for 1 records in orders; instead: it has 0"):
    ...     cluster.topic("orders").wait_records(1, timeout="1s")
    """

    def __init__(self, brief: str, rest: str = "", advice: str = "") -> None:
        super().__init__("\n".join(part for part in (brief, rest, advice) if part))
        self.brief = "\n".join(part for part in (brief, advice) if part)


@dataclass(frozen=True, slots=True)
class Condition(Generic[T]):
    """What is waited for.

    `look` gives the value that fulfils it, or None while it is not so.  It runs in the brokers' thread, may
    ask handles, and may even give orders: what it does happens between two steps, always the same two.
    `wanted` completes "waited for ..."; `now` says how things stand instead.
    """

    wanted: str
    look: Callable[[], T | None]
    now: Callable[[], str]


class Lookout(Generic[T]):
    """Someone who looks at a condition after every step, until it is fulfilled or given up."""

    def __init__(self, world: World, condition: Condition[T], wake: Callable[[], None]) -> None:
        self._world = world
        self._condition = condition
        self._wake = wake
        self._looking = False
        self.value: T | None = None
        self.failure: Exception | None = None

    def begin(self) -> None:
        """Look now, and from now on."""
        self._world.lookouts.append(self.look)
        self.look()

    def look(self) -> None:
        """Look once; a condition that fails to look ends the wait, and not the step it was looked at in."""
        if self._looking:
            return  # a condition that asks handles, or gives orders, makes steps of its own
        self._looking = True
        try:
            self.value = self._condition.look()
        except Exception as failure:  # noqa: BLE001 - it is raised where the wait was called
            self.failure = failure
        self._looking = False
        if self.value is not None or self.failure is not None:
            self.end()
            self._wake()

    def end(self) -> None:
        """Look no more."""
        if self.look in self._world.lookouts:
            self._world.lookouts.remove(self.look)

    def result(self) -> T:
        """What was found."""
        if self.failure is not None:
            raise self.failure
        assert self.value is not None, "a lookout that was woken has found something"
        return self.value


def wait_in_thread(
    server: Server,
    world: World,
    call: Callable[[Callable[[], object]], object],
    condition: Condition[T],
    timeout_s: float,
) -> T:
    """Wait in a plain thread; `call` runs a function in the server's thread."""
    arrived = threading.Event()
    lookout = Lookout(world, condition, arrived.set)
    since_us = world.history.stopwatch()
    call(lookout.begin)
    report: list[tuple[str, str]] = []

    def give_up() -> None:
        lookout.end()
        if not arrived.is_set():
            report.append(told(server, world, condition, timeout_s, since_us))

    try:
        arrived.wait(timeout_s)
    finally:
        # Also when somebody pressed Ctrl-C: nobody is to look for a test that is gone.
        if not arrived.is_set():
            call(give_up)
    if report:
        raise WaitTimeout(*report[0], _blocked_loop())
    return lookout.result()


def _blocked_loop() -> str:
    """What to do where a wait has kept the app from running that it waited for; empty where it has not."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None:
        return ""  # nobody has imported it, so nobody runs it
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ""
    return (
        "this wait has blocked an asyncio loop, and whatever runs in it: "
        "await asyncio.to_thread(group.wait_stable, members=1), say, blocks a thread instead"
    )


async def wait_in_trio(server: Server, world: World, condition: Condition[T], timeout_s: float) -> T:
    """Wait in the server's own trio loop."""
    arrived = trio.Event()
    lookout = Lookout(world, condition, arrived.set)
    since_us = world.history.stopwatch()
    lookout.begin()
    try:
        with trio.move_on_after(timeout_s):
            await arrived.wait()
    finally:
        lookout.end()
    if not arrived.is_set():
        raise WaitTimeout(*told(server, world, condition, timeout_s, since_us))
    return lookout.result()


def told(
    server: Server, world: World, condition: Condition[T], timeout_s: float, since_us: int | None = None
) -> tuple[str, str]:
    """Who waits for what; and what is probably the matter, with a timeline: the report of a wait that failed.

    It goes into the history, too: where the test stood still is part of the story.
    """
    now = condition.now()
    evidence = opened(gather(world, server), EVENTS_READ_MAX)
    begun_us = evidence.now_us if since_us is None else since_us
    found = diagnose(evidence)
    world.history.waited(
        f"waited {timeout_s:g} s in vain for {condition.wanted}",
        seconds=timeout_s,
        since_us=begun_us,
        parked=evidence.parked,
        diagnoses=found,
    )
    lines = [f"waited {timeout_s:g} s for {condition.wanted}; instead: {now}"]
    lines += list(evidence.troubles)
    lines.append("parked requests:" if evidence.parked else "no request is parked")
    lines += [
        f"  {clean(one.client_id) or 'a client'} at {one.peer}: {clean(one.why, 400)}"
        for one in evidence.parked
    ]
    rest = [*diagnosis_lines(found), *timeline_lines(evidence, found, ROWS_TOLD)]
    return "\n".join(lines), "\n".join(rest)

"""What all listeners and connections of one server share: the world, real time, and the list of our bugs.

Every step of the world that comes from outside, a client's request or a test's order, starts with a `tick`
and passes through here.  Knows no sockets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mockbroker.conversation import FaultHook
from mockbroker.core.world import World
from mockbroker.server.bugs import BrokerBug, shortened
from mockbroker.server.timekeeper import Timekeeper

T = TypeVar("T")

log = logging.getLogger("mockbroker.server")


class Shell:
    """The common part of a server's tasks."""

    __slots__ = ("arrived", "crashes", "faults", "frame_timeout_s", "met", "network", "timekeeper", "world")

    def __init__(self, world: World, faults: FaultHook | None, frame_timeout_s: float) -> None:
        self.world = world
        self.faults = faults
        self.network = None if faults is None else faults.network
        self.frame_timeout_s = frame_timeout_s
        self.crashes: list[BrokerBug] = []
        self.timekeeper = Timekeeper(world.clock, world.patience, self.report)
        # A stopwatch for people: it tells what came first within a millisecond, and runs on in frozen time.
        world.history.stopwatch = lambda: time.monotonic_ns() // 1_000
        world.history.started_us = world.history.stopwatch()
        # How many connections there have been; each one's number is its name in logs and histories.
        self.met = 0
        # How many parked answers are here whose connections have not run since.
        self.arrived = 0

    def report(self, exception: Exception, doing: str) -> None:
        """Keep a bug of ours for whoever closes the server, and say so at once."""
        bug = BrokerBug(exception, shortened(doing))
        self.crashes.append(bug)
        log.error("%s", bug, exc_info=exception)

    def control(self, act: Callable[..., T], *args: Any) -> T:
        """Run one order of the test as one step: never between a request and what it set in motion."""
        self.timekeeper.tick()
        try:
            return act(*args)
        finally:
            # Even an order that failed half-way has set things in motion, and may have moved a clock.
            self.world.settle()
            self.timekeeper.rearm()

    def observe(self, act: Callable[[], object], what: str) -> None:
        """Tell the world of something that no client waits for, as one step; a bug of ours is recorded."""
        try:
            self.control(act)
        except Exception as bug:  # noqa: BLE001 - whoever noticed must not pay for it
            self.report(bug, what)

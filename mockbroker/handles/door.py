"""How a handle reaches the brokers: the one thing in which the two front doors differ.

Behind `Cluster` there is a thread, and a call goes through its portal; behind `open_cluster` the caller is in
the brokers' own loop already, and a call is a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from mockbroker.core.world import World
    from mockbroker.ghosts.company import Company
    from mockbroker.server.run import Server
    from mockbroker.waiting import Condition

T = TypeVar("T")


class Door(Protocol):
    """What handles need of a cluster."""

    world: World

    @property
    def server(self) -> Server:
        """The server that serves the world."""

    @property
    def ghosts(self) -> Company:
        """The virtual clients that live in it."""

    def do(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world."""


class BlockingDoor(Door, Protocol):
    """A door whose waits block the calling thread."""

    def wait(self, condition: Condition[T], timeout: float | str | None) -> T:
        """Wait until the condition is fulfilled; raises WaitTimeout."""


class TrioDoor(Door, Protocol):
    """A door whose waits are awaited."""

    async def wait(self, condition: Condition[T], timeout: float | str | None) -> T:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until the condition is fulfilled; raises WaitTimeout."""

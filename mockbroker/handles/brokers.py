"""A broker, and the brokers' clock, as a test holds them.

What befalls a broker is one step of the world.  Does not know when the controller notices; the world does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mockbroker.core.groups.attendance import keep_members_alive
from mockbroker.core.usage import UsageError
from mockbroker.options import duration_ms

if TYPE_CHECKING:
    from mockbroker.core.node import Node
    from mockbroker.core.world import World
    from mockbroker.handles.door import Door
    from mockbroker.options import Duration


class Broker:
    """One broker of the cluster."""

    def __init__(self, door: Door, id: int) -> None:
        self._at = door
        self.id = id

    def __repr__(self) -> str:
        return f"<Broker {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Broker) and (other.id, other._at) == (self.id, self._at)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def _node(self) -> Node:
        return self._at.world.nodes[self.id]

    @property
    def address(self) -> str:
        """host:port, as clients reach it."""
        host, port = self._at.server.addresses[self.id]
        return f"{host}:{port}"

    @property
    def rack(self) -> str | None:
        """The rack that it stands in."""
        return self._node.rack

    @property
    def running(self) -> bool:
        """Whether it is neither crashed nor paused.

        >>> cluster.broker(1).running
        True
        """
        return self._at.do(lambda: self._node.up and not self._node.paused)

    def crash(self, noticed: Duration | None = None) -> None:
        """Kill it: connections are reset, its memory is gone, its logs stay.

        `noticed` is the broker time that the controller takes to see it; at once by default, or
        broker.session.timeout.ms with Kafka's defaults.

        >>> cluster.leader_of("orders", 0).crash()
        """
        self._act(self._at.world.crash, _noticed_ms(noticed), up=True)

    def restart(self) -> None:
        """Start it again on the same port, with the logs that it had.

        >>> cluster.broker(1).crash()
        >>> cluster.broker(1).restart()
        """
        self._act(self._at.world.restart, up=False)

    def pause(self, noticed: Duration | None = None) -> None:
        """Let it stand still, as a stopped process: nothing is read, answered or timed until `resume`.

        The controller takes it for dead after broker.session.timeout.ms of broker time, or `noticed`.

        >>> cluster.broker(1).pause()
        """
        self._act(self._at.world.pause, _noticed_ms(noticed), up=True, paused=False)

    def resume(self) -> None:
        """Let it go on.

        >>> cluster.broker(1).pause()
        >>> cluster.broker(1).resume()
        """
        self._act(self._at.world.resume, up=True, paused=True)

    def isolate(self, noticed: Duration | None = None) -> None:
        """Cut it off from the other brokers and the controller, and not from clients, until `heal`.

        The controller takes it for dead as it does after a `crash`.

        >>> cluster.leader_of("orders", 0).isolate()
        """
        self._act(self._at.world.isolate, _noticed_ms(noticed))

    def slow(self, by: Duration) -> None:
        """Let it take so much longer to begin with each request of a client, in real time; 0 ends it, as `heal` does.

        Other brokers and their clients are served as ever, and it follows its leaders as ever.

        >>> cluster.broker(1).slow("800ms")
        """
        milliseconds = duration_ms(by)

        def slow() -> None:
            self._node.slow_ms = milliseconds
            self._at.world.history.note(self.id, f"slow by {milliseconds} ms")

        self._at.do(slow)

    def skew(self, by: Duration) -> None:
        """Let its own clock be off by so much; "-2s" is behind.  `heal` sets it right, and so does 0.

        Records that it appends bear that time (message.timestamp.type=LogAppendTime), it finds records too old by
        it, and too far from now.  Sessions and rebalances only measure how much time passes, and see nothing.

        >>> cluster.broker(1).skew("-2s")
        """
        milliseconds = _signed_ms(by)

        def skew() -> None:
            self._node.skew(milliseconds)
            self._at.world.history.note(self.id, f"clock off by {milliseconds} ms")

        self._at.do(skew)

    def heal(self) -> None:
        """Connect it with the others again, and let it be neither slow nor wrong about the time.

        >>> cluster.broker(1).isolate()
        >>> cluster.broker(1).heal()
        """
        self._act(self._at.world.heal)

    def _act(
        self, act: Callable[..., None], *args: object, up: bool | None = None, paused: bool | None = None
    ) -> None:
        """Do something to this broker, if it is as that requires; both in one step."""

        def checked() -> None:
            node = self._node
            if up is not None and node.up != up:
                raise UsageError(
                    f"broker {self.id} is down: restart() it first"
                    if up
                    else f"broker {self.id} is running: crash() it first"
                )
            if paused is not None and node.paused != paused:
                raise UsageError(
                    f"broker {self.id} is not paused: pause() it first"
                    if paused
                    else f"broker {self.id} is paused: resume() it first"
                )
            act(self.id, *args)

        self._at.do(checked)


def _signed_ms(by: Duration) -> int:
    if isinstance(by, str) and by.strip().startswith("-"):
        return -duration_ms(by.strip()[1:])
    return -duration_ms(-by) if not isinstance(by, str) and by < 0 else duration_ms(by)


def _noticed_ms(noticed: Duration | None) -> int | None:
    return None if noticed is None else duration_ms(noticed)


class ClockHandle:
    """The brokers' time.  Clients live in their own, which nobody can move."""

    def __init__(self, door: Door) -> None:
        self._at = door

    @property
    def _world(self) -> World:
        return self._at.world

    @property
    def now(self) -> float:
        """Broker time in seconds since the epoch."""
        return self._at.do(lambda: self._world.clock.now) / 1_000

    @property
    def frozen(self) -> bool:
        """Whether it stands still.

        >>> cluster.clock.frozen
        False
        """
        return self._world.clock.frozen

    def freeze(self) -> None:
        """Let broker time stand still: no session ends, no rebalance times out, until `thaw` or `advance`.

        >>> cluster.clock.freeze()
        """

        def freeze() -> None:
            self._world.clock.freeze()
            self._world.history.act("freeze the clock")

        self._at.do(freeze)

    def thaw(self) -> None:
        """Let it run again, from where it stands.

        >>> cluster.clock.freeze()
        >>> cluster.clock.thaw()
        """

        def thaw() -> None:
            self._world.clock.thaw(self._at.server.real_ms())
            self._world.history.act("thaw the clock")

        self._at.do(thaw)

    def advance(self, duration: Duration, *, keep_alive: bool = True) -> None:
        """Move broker time forward; whatever is due on the way happens, in deadline order.

        Group members that are alive are kept alive, for their heartbeats would have come: those with an open
        connection that were heard of within two thirds of their session timeout of real time.  The silent
        and the vanished expire, and so does who hangs up afterwards without another word: it was killed a
        moment ago.  `keep_alive=False` spares nobody: time jumps, and ghosts find out afterwards, too.

        >>> cluster.clock.advance("45s")
        """
        milliseconds = duration_ms(duration)
        self._at.do(lambda: self._advance(milliseconds, keep_alive=keep_alive))

    def _advance(self, milliseconds: int, *, keep_alive: bool) -> None:
        world = self._world
        world.history.act(f"advance the clock by {milliseconds / 1_000:g} s")
        end_ms = world.clock.now + milliseconds
        hushed = [] if keep_alive else self._at.ghosts.hush()
        connections = self._at.server.connections
        connected = {c.conversation.peer.ordinal for c in connections if not c.gone()}
        while world.clock.now < end_ms:
            step_ms = end_ms - world.clock.now
            if keep_alive:
                for node in world.nodes.values():
                    for shard in node.shards.values():
                        step_ms = min(step_ms, keep_members_alive(shard, connected))
            world.clock.advance(step_ms)
        for ghost in hushed:
            ghost.speak()

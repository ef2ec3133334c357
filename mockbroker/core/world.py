"""Everything the brokers know, and the two clocks that they know it by.

A step is one handler, one timer or one act of a test; then the world settles: what brokers have to tell
each other is delivered until nothing is left.  Same seed and same steps, same world.
"""

from __future__ import annotations

import base64
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from mockbroker.core import settings
from mockbroker.core.broker_config import BrokerConfig
from mockbroker.core.clock import Clock, Timer
from mockbroker.core.controller import Controller
from mockbroker.core.groups.attendance import Attendance
from mockbroker.core.groups.views import Chronicle
from mockbroker.core.history import History
from mockbroker.core.image import BrokerImage, ConfigKind, Image
from mockbroker.core.links import CONTROLLER, Links
from mockbroker.core.node import Node
from mockbroker.core.positions import Positions
from mockbroker.core.topic_configs import TopicConfig, resolve
from mockbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random
    from typing import Any

    from mockbroker.core.call import Call
    from mockbroker.core.witness import Witness

T = TypeVar("T")

# A simulation begins here, on every machine: a Tuesday in November 2023.
SIMULATION_START_MS = 1_700_000_000_000

# AllocateProducerIds hands out this many at a time (KIP-730).
PRODUCER_ID_BLOCK = 1_000

# Things put off to the end of a step may put off more; this many rounds of that is a circle.
SETTLE_ROUNDS_MAX = 100_000


class World:
    """Brokers, controller, links, clocks and chance of one cluster.

    `random` is made by whoever makes the world, from a seed; `config` are broker settings, checked here.
    `friendly` gives the few defaults that spare tests their waits; without it they are Kafka's.
    """

    def __init__(
        self,
        *,
        brokers: Iterable[int],
        random: Random,
        racks: Mapping[int, str] | None = None,
        config: Mapping[str, object] | None = None,
        friendly: bool = True,
        now_ms: int = SIMULATION_START_MS,
    ) -> None:
        self.random = random
        self.friendly = friendly
        self.clock = Clock(now_ms, self.settle)
        self.patience = Clock(now_ms, self.settle)
        self.links = Links(self.clock)
        self.history = History(self.clock)
        self.history.look = self.settle
        self.history.standing = self._standing
        self.positions = Positions()
        self.attendance = Attendance()
        self.chronicle = Chronicle()
        # Someone who sees what becomes of records, and the request on whose behalf something happens right now.
        self.witness: Witness | None = None
        self.serving: Call[Any] | None = None
        # Conditions that someone waits for; looked at after every step.
        self.lookouts: list[Callable[[], None]] = []
        # Clients that live in here: asked when a step is quiet whether they act upon it, and then it goes on.
        self.residents: list[Callable[[], bool]] = []
        self._soon: deque[Callable[[], None]] = deque()
        self._when_settled: deque[Callable[[], None]] = deque()
        self._settling = False
        # The number of the step: what is done until everything has come of it that comes by itself.
        self.step = 0
        self._next_producer_id = 0
        self._isolated: set[int] = set()
        # Pairs of ends between which the network is broken, whoever else is isolated or healed.
        self._parted: set[frozenset[int]] = set()
        # Sessions that will run out, of brokers that the controller does not hear of.
        self._sessions: dict[int, Timer] = {}
        self.defaults = BrokerConfig(-1, config or {}, friendly=friendly)
        self.nodes = {id: self._new_node(id, (racks or {}).get(id), config or {}) for id in brokers}
        self.controller = Controller(self, self._first_image())
        self._begin_with(self.controller.image)

    def _new_node(self, id: int, rack: str | None, config: Mapping[str, object]) -> Node:
        return Node(self, id, rack, BrokerConfig(id, config, rack=rack, friendly=self.friendly))

    def _begin_with(self, image: Image) -> None:
        """Let everybody know what the controller has begun with."""
        for node in self.nodes.values():
            node.image = image
            node.config.heed(image)
        self.defaults.heed(image)

    def _first_image(self) -> Image:
        brokers = {
            id: BrokerImage(id, "localhost", 0, node.rack, 1, False) for id, node in self.nodes.items()
        }
        cluster_id = base64.urlsafe_b64encode(self.new_id()).decode().rstrip("=")
        # A cluster with eligible leader replicas is formatted with this as its dynamic default (KIP-966).
        in_sync = {"min.insync.replicas": str(self.defaults[settings.MIN_INSYNC_REPLICAS])}
        return Image(
            version=1,
            cluster_id=cluster_id,
            controller_id=min(brokers),
            brokers=brokers,
            configs={(ConfigKind.BROKER, ""): in_sync},
        )

    # -- steps ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Finish the step: deliver every message, do everything that was put off.  Not re-entrant on purpose."""
        if self._settling:
            return
        self._settling = True
        self.step += 1
        try:
            for _ in range(SETTLE_ROUNDS_MAX):
                self.links.run_to_quiet()
                if self._soon:
                    self._soon.popleft()()
                elif self._when_settled:
                    self._when_settled.popleft()()
                elif not any(tuple(act() for act in self.residents)):
                    break
            else:
                raise AssertionError(f"no end after {SETTLE_ROUNDS_MAX} rounds of one step")
        finally:
            self._settling = False
        for look in list(self.lookouts):
            look()

    def on_behalf_of(self, call: Call[Any] | None, act: Callable[[], T]) -> T:
        """Do something that a request asked for, so that whoever watches knows by whose wish it happens."""
        before, self.serving = self.serving, call
        try:
            return act()
        finally:
            self.serving = before

    def soon(self, action: Callable[[], None]) -> None:
        """Do something within this step, after what is going on now."""
        self._soon.append(action)

    def when_settled(self, action: Callable[[], None]) -> None:
        """Do something at the end of this step, when everything else is quiet."""
        self._when_settled.append(action)

    def image_changed(self, image: Image) -> None:
        """The controller has made a new image: what belongs to no broker follows at once."""
        self.defaults.heed(image)

    def _standing(self, broker: int, group_id: str) -> str:
        """How a group stands at a broker, for the history; empty where it is not looked after."""
        try:
            group = self.nodes[broker].group_shard(group_id).groups.get(group_id)
        except KafkaError:
            return ""
        if group is None:
            return ""
        count = len(group.members)
        return f"{group.state.value}, {count} member{'' if count == 1 else 's'}"

    # -- chance and identity ----------------------------------------------------------------------

    def new_id(self) -> bytes:
        """Sixteen bytes that nothing else has: a topic id, a cluster id."""
        return self.random.randbytes(16)

    def producer_id_block(self) -> range:
        """The next producer ids for one broker."""
        start, self._next_producer_id = self._next_producer_id, self._next_producer_id + PRODUCER_ID_BLOCK
        return range(start, self._next_producer_id)

    def topic_config(self, image: Image, topic: str) -> TopicConfig:
        """What a topic's configs come to for the controller."""
        return resolve(self.defaults, image.topic_overrides(topic))

    def set_address(self, broker: int, host: str, port: int) -> None:
        """Let clients be told this address for a broker."""
        self.controller.set_address(broker, host, port)
        self.settle()

    # -- acts on brokers --------------------------------------------------------------------------

    def crash(self, broker: int, noticed_ms: int | None = None) -> None:
        """Kill a broker.  The controller notices after `noticed_ms` of broker time; None: as the defaults say."""
        self.history.note(broker, "crash")
        self.nodes[broker].crash()
        self.links.hang_up(broker)
        self._lose(broker, noticed_ms)

    def restart(self, broker: int) -> None:
        """Start a broker again that had crashed."""
        self.history.note(broker, "restart")
        self.nodes[broker].restart()
        self._rejoin(broker)

    def pause(self, broker: int, noticed_ms: int | None = None) -> None:
        """Let a broker stand still.  By default the controller gives it broker.session.timeout.ms."""
        self.history.note(broker, "pause")
        self.nodes[broker].pause()
        self._lose(broker, self._session_timeout_ms() if noticed_ms is None else noticed_ms)

    def resume(self, broker: int) -> None:
        """Let a paused broker go on."""
        self.history.note(broker, "resume")
        self.nodes[broker].resume()
        self._rejoin(broker)

    def isolate(self, broker: int, noticed_ms: int | None = None) -> None:
        """Cut a broker off from all others and from the controller; clients still reach it."""
        self.history.note(broker, "isolate")
        self._isolated.add(broker)
        for other in (*self.nodes, CONTROLLER):
            if other != broker:
                self.links.cut(broker, other)
        self._lose(broker, noticed_ms)

    def heal(self, broker: int) -> None:
        """Connect an isolated broker again, and let it be as fast and as right about the time as others."""
        self.history.note(broker, "heal")
        self._isolated.discard(broker)
        self.nodes[broker].skew(0)
        self.nodes[broker].slow_ms = 0
        for other in self._reachable(broker):
            self.links.mend(broker, other)
        self._rejoin(broker)

    def _reachable(self, broker: int) -> list[int]:
        if broker in self._isolated:
            return []
        return [
            id
            for id in (CONTROLLER, *self.nodes)
            if id not in {broker, *self._isolated} and frozenset((broker, id)) not in self._parted
        ]

    def part(self, one: int, other: int) -> None:
        """Break the network between two brokers, or a broker and the controller, until `join`."""
        self._parted.add(frozenset((one, other)))
        self.links.cut(one, other)
        if CONTROLLER in (one, other):
            self._lose(max(one, other), None)
        self.settle()

    def join(self, one: int, other: int) -> None:
        """Mend what `part` has broken; who was isolated besides stays so."""
        self._parted.discard(frozenset((one, other)))
        if one in self._isolated or other in self._isolated:
            return
        self.links.mend(one, other)
        for end in (one, other):
            if end != CONTROLLER:
                self._rejoin(end)

    def _rejoin(self, broker: int) -> None:
        """What kept a broker from talking is over; if nothing else does, it makes itself heard.

        What was lost meanwhile stays lost, so both sides ask anew.
        """
        node, reachable = self.nodes[broker], self._reachable(broker)
        if node.up and not node.paused:
            if CONTROLLER in reachable and (session := self._sessions.pop(broker, None)):
                session.cancel()
            node.heartbeat()
            self.settle()
            node.reconnected(reachable)
        for other in reachable:
            if other != CONTROLLER and not self.nodes[other].paused:
                self.nodes[other].reconnected([broker])
        self.settle()

    def _lose(self, broker: int, noticed_ms: int | None) -> None:
        if noticed_ms is None:
            noticed_ms = 0 if self.friendly else self._session_timeout_ms()
        if noticed_ms == 0:
            self.controller.fence(broker)
        elif (session := self._sessions.get(broker)) is None or not session.armed:
            self._sessions[broker] = self.clock.call_in(noticed_ms, lambda: self.controller.fence(broker))
        elif self.clock.now + noticed_ms < session.due_ms:
            session.move(self.clock.now + noticed_ms)
        self.settle()

    def _session_timeout_ms(self) -> int:
        return self.defaults[settings.BROKER_SESSION_TIMEOUT_MS]

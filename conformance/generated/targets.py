"""The two sides of a conversation: a mockbroker world without sockets, and a real Kafka with them.

Without sockets it is certain whether a request is answered or waits; the real side is listened to with that
in mind.  The world is new for every conversation; the real broker is one for all, with topics in stock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import select
import socket
import struct
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from conformance.cases import codec
from conformance.cases.brokers import Plan, RealBrokers
from conformance.cases.codec import Answer
from conformance.cases.line import CLOSED, frame
from conformance.cases.stage import Stage
from conformance.generated.conversation import KINDS, PARTITIONS
from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.core.world import World
from mockbroker.options import ClusterOptions

# A session, a cleaner or an idle connection must not end within a run; sessions of conversations that are
# over take up slots for two minutes.
PLAN = Plan(
    "generated",
    1,
    {
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 5,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 5,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "max.incremental.fetch.session.cache.slots": 1_000_000,
        "auto.create.topics.enable": False,
        # Index files are made whole, at ten megabytes each, which thousands of partitions need not have.
        "log.index.size.max.bytes": 4096,
    },
    looks={"log.cleaner.enable": False},
)
# The same for a broker that dies now and then: its old self is given up sooner, for until then the new one waits.
DYING = dataclasses.replace(
    PLAN, looks=PLAN.looks | {"broker.session.timeout.ms": 3_000, "broker.heartbeat.interval.ms": 300}
)
# How long a real broker is listened to that should keep silent: two round trips of a busy machine.
SILENCE_S = 0.03
# How long it is waited for when mockbroker has answered.
ANSWER_TIMEOUT_S = 2.0
# How many topics of each kind are made at a time; a death spoils all that are not used yet.
STOCK, STOCK_OF_DYING = 40, 8


class Target(Protocol):
    """Brokers that a conversation is played on."""

    def begin(self, topics: Mapping[str, str]) -> dict[str, tuple[str, uuid.UUID]]:
        """New connections only, and a new topic for every label: its name and id."""

    def send(self, line: str, data: bytes) -> None:
        """Put a request on a line, which is opened for it."""

    def hear(self, line: str, seconds: float) -> bytes | Answer | None:
        """The next answer on a line, CLOSED, or None when there is none so soon."""

    def settle(self, topic: str) -> None:
        """Wait until everybody knows what became of a topic."""

    def rest(self, transactional_id: str) -> None:
        """Wait until no transaction of this id is on its way to its end."""

    def die(self, topics: Iterable[str], groups: Iterable[str], payers: Iterable[str]) -> None:
        """Be killed with all connections, and come back; wait until these are served again."""

    def speaking(self, lines: Iterable[str], seconds: float) -> list[str]:
        """Those lines on which something is to be heard; waits so long for one."""

    @property
    def port(self) -> int:
        """Where node 1 listens."""

    def end(self) -> None:
        """Hang up."""


class RealTarget:
    """A real Kafka of one node."""

    def __init__(self, brokers: RealBrokers) -> None:
        self._brokers = brokers
        self._at_a_time = STOCK_OF_DYING if brokers.plan is DYING else STOCK
        self._address = brokers.address(1)
        self._sockets: dict[str, socket.socket] = {}
        self._stock: dict[str, list[tuple[str, uuid.UUID]]] = {}
        # Topics of this conversation, and of those that are over.
        self._in_use: list[str] = []
        self._used: list[str] = []
        self._stage = Stage(brokers)
        self._stage.group("first")  # makes the internal topic and waits for a coordinator
        self._stage.until(self._gives_producer_ids, "producer ids")
        self._stage.until(self._finds_payers, "a coordinator of transactions")

    @property
    def port(self) -> int:
        return self._address[1]

    def begin(self, topics: Mapping[str, str]) -> dict[str, tuple[str, uuid.UUID]]:
        self.end()
        self._used += self._in_use
        taken = {label: self._take(kind) for label, kind in topics.items()}
        self._in_use = [name for name, _ in taken.values()]
        return taken

    def send(self, line: str, data: bytes) -> None:
        if line not in self._sockets:
            self._sockets[line] = socket.create_connection(self._address, timeout=ANSWER_TIMEOUT_S)
            self._sockets[line].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # a broker that has hung up is found out by listening
            self._sockets[line].sendall(frame(data))

    def hear(self, line: str, seconds: float) -> bytes | Answer | None:
        if not self.speaking([line], seconds):
            return None
        try:
            heard = self._exactly(line, 4)
            answer = heard and self._exactly(line, *struct.unpack(">i", heard))
        except ConnectionError:
            answer = b""
        if not answer:
            self._sockets.pop(line).close()
            return CLOSED
        return answer

    def _exactly(self, line: str, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._sockets[line].recv(count - len(data))
            if not more:
                return b""
            data += more
        return data

    def speaking(self, lines: Iterable[str], seconds: float) -> list[str]:
        by_socket = {self._sockets[line]: line for line in lines if line in self._sockets}
        ready, _, _ = select.select(list(by_socket), [], [], seconds)
        return [by_socket[each] for each in ready]

    def settle(self, topic: str) -> None:
        def agreed() -> bool:
            parts = self._stage.metadata(topic)
            return not parts or self._stage.is_led(topic, len(parts))

        time.sleep(SILENCE_S)  # the broker hears of it from the controller
        self._stage.until(agreed, f"{topic} is there or gone")

    def rest(self, transactional_id: str) -> None:
        self._stage.until(lambda: self._is_at_rest(transactional_id), f"{transactional_id} is at rest")

    def _is_at_rest(self, transactional_id: str) -> bool:
        asked: dict[str, Any] = {"transactional_ids": [transactional_id]}
        told = self._stage.quietly("DescribeTransactions", 0, **asked)["transaction_states"][0]
        unknown = told["error_code"] == "TRANSACTIONAL_ID_NOT_FOUND"
        return unknown or (
            told["error_code"] == "NONE" and not told["transaction_state"].startswith("Prepare")
        )

    def die(self, topics: Iterable[str], groups: Iterable[str], payers: Iterable[str]) -> None:
        self.end()
        self._brokers.crash(1)
        self._brokers.restart(1)
        # Their partitions have another leader epoch now than those of a new topic.
        self._used += [name for stock in self._stock.values() for name, _ in stock]
        self._stock.clear()
        for topic in topics:
            self.settle(topic)
        for group in groups:
            self._stage.until(lambda group=group: self._coordinates(group), group)  # type: ignore[misc]  # bound now
        for payer in payers:
            self.rest(payer)
        self._stage.until(self._gives_producer_ids, "producer ids")

    def _coordinates(self, group: str) -> bool:
        described = self._stage.quietly("DescribeGroups", 5, groups=[group])["groups"][0]
        return bool(described["error_code"] == "NONE")

    def end(self) -> None:
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        self._stage.close()

    def _take(self, kind: str) -> tuple[str, uuid.UUID]:
        """A topic from the stock, which is made new when it is used up; what was used is thrown away then."""
        stock = self._stock.setdefault(kind, [])
        if not stock:
            if self._used:
                # Thousands of topics take a broker of this size minutes of collecting garbage.
                gone = [{"name": name, "topic_id": None} for name in self._used]
                self._stage.quietly("DeleteTopics", 6, timeout=30_000, topics=gone)
                self._used.clear()
            # Hypothesis plays with `random`, and a name must not come twice.
            names = [f"{kind}-{secrets.token_hex(6)}-x" for _ in range(self._at_a_time)]
            request: dict[str, Any] = {"topics": [wanted(name, kind) for name in names], "timeout": 30_000}
            answer = self._stage.quietly("CreateTopics", 7, **request)
            stock += [(topic["name"], uuid.UUID(topic["topic_id"])) for topic in answer["topics"]]
            for name in names:
                self._stage.until(lambda name=name: self._stage.is_led(name, PARTITIONS), name)  # type: ignore[misc]  # bound now
        return stock.pop()

    def _finds_payers(self) -> bool:
        asked: dict[str, Any] = {"key_type": 1, "coordinator_keys": ["first"]}
        return bool(
            self._stage.quietly("FindCoordinator", 4, **asked)["coordinators"][0]["error_code"] == "NONE"
        )

    def _gives_producer_ids(self) -> bool:
        return bool(self._stage.quietly("InitProducerId", 4, **FIRST_PRODUCER)["error_code"] == "NONE")


class MockTarget:
    """mockbroker's core, with Kafka's own defaults, in a new world for each conversation."""

    port = 9092

    def __init__(self) -> None:
        self._world: World
        self._lines: dict[str, Conversation] = {}
        # What was asked last on a line and not heard yet: the call (or what ended the line), and its reply.
        self._waiting: dict[str, tuple[Call[Any] | Disconnect, Any]] = {}

    def begin(self, topics: Mapping[str, str]) -> dict[str, tuple[str, uuid.UUID]]:
        self.end()
        options = ClusterOptions.of(brokers=1, config=PLAN.config, defaults="kafka")
        self._world = options.new_world(0)
        self._world.set_address(1, "127.0.0.1", self.port)
        for key_type in (0, 1):
            self._asked("FindCoordinator", 4, key_type=key_type, coordinator_keys=["first"])
        self._asked("InitProducerId", 4, **FIRST_PRODUCER)
        made = {}
        for label, kind in topics.items():
            name = f"{kind}-{label}-x"
            (topic,) = self._asked("CreateTopics", 7, topics=[wanted(name, kind)], timeout=30_000)["topics"]
            made[label] = (name, uuid.UUID(topic["topic_id"]))
        return made

    def send(self, line: str, data: bytes) -> None:
        if line not in self._lines:
            self._lines[line] = Conversation(self._world.nodes[1], Peer())
        if line in self._waiting and isinstance(self._waiting[line][1], Disconnect):
            return  # hung up already; a client finds that out by listening
        (call,) = self._lines[line].feed(frame(data))
        self._waiting[line] = (
            call,
            call if isinstance(call, Disconnect) else self._lines[line].exchange(call),
        )
        # The timers that are due now, such as the one that a rebalance without delay begins with.
        self._world.clock.advance(1)
        self._world.patience.advance(1)

    def hear(self, line: str, seconds: float) -> bytes | Answer | None:
        del seconds  # what does not answer now waits for somebody else
        if not self.speaking([line], 0):
            return None
        call, reply = self._waiting.pop(line)
        outcome = reply.result if isinstance(reply, Ticket) else reply
        if isinstance(outcome, Disconnect):
            del self._lines[line]
            return CLOSED
        assert isinstance(call, Call), "only a call has another outcome than the end"
        return b"".join(map(bytes, self._lines[line].seal(call, outcome)))[4:]

    def speaking(self, lines: Iterable[str], seconds: float) -> list[str]:
        del seconds  # as in `hear`
        replies = {line: self._waiting[line][1] for line in lines if line in self._waiting}
        return [line for line, reply in replies.items() if not isinstance(reply, Ticket) or reply.done]

    def rest(self, transactional_id: str) -> None:
        """Nothing: a step of a world ends when the markers are written."""

    def die(self, topics: Iterable[str], groups: Iterable[str], payers: Iterable[str]) -> None:
        del topics, groups, payers  # served from the first moment on
        self.end()
        # A killed node is given up at the latest when it registers again.
        self._world.crash(1, noticed_ms=0)
        self._world.clock.advance(1)
        self._world.restart(1)
        self._world.settle()

    def settle(self, topic: str) -> None:
        """Nothing: a step of a world ends when everybody knows."""

    def end(self) -> None:
        self._lines.clear()
        self._waiting.clear()

    def _asked(self, api: str, version: int, **fields: Any) -> Answer:
        self.send("quiet", codec.request(api, version, 1, "case", fields))
        heard = self.hear("quiet", 0)
        assert isinstance(heard, bytes), f"{api} is answered at once"
        return codec.answer(api, version, heard)


FIRST_PRODUCER: dict[str, Any] = {
    "transactional_id": None,
    "transaction_timeout": 60_000,
    "producer_id": -1,
    "producer_epoch": -1,
}


def wanted(name: str, kind: str) -> dict[str, Any]:
    """A topic of a kind, as CreateTopics has it."""
    configs = [{"name": key, "value": value} for key, value in KINDS[kind].items()]
    return {"name": name, "num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}

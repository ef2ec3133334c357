"""What a case finds when it begins: brokers, connections, names of its own, and a transcript being kept.

A case is registered by its number in the list of behaviours that this suite goes through, with a sentence.
It must not depend on other cases: a real cluster is shared by all of them.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.cases.brokers import ONE, Brokers, Plan, until
from conformance.cases.codec import Answer
from conformance.cases.line import Line
from conformance.cases.normal import CHOSEN_MS, Symbols

# Times that a case chooses lie this far back, so that they are never taken for the present.
_ZERO_AGO_MS = 2 * CHOSEN_MS


class Stage:
    """One case's view of the brokers."""

    def __init__(self, brokers: Brokers) -> None:
        self.brokers = brokers
        # Where the times that the case chooses begin.
        self.zero_ms = time.time_ns() // 1_000_000 - _ZERO_AGO_MS
        self._salt = secrets.token_hex(3)
        self._names: dict[str, str] = {}
        self._roles: dict[int, str] = {}
        self._lines: list[Line] = []
        self._told: list[tuple[int, str, Answer]] = []

    # -- talking --------------------------------------------------------------------------------

    def line(self, node: int = 1, client_id: str | None = "case") -> Line:
        """A new connection to a node."""
        line = Line(node, self.brokers.address(node), self._tell, client_id)
        self._lines.append(line)
        return line

    def ask(self, api: str, version: int, *, node: int = 1, **fields: Any) -> Answer:
        """One question on a connection of its own."""
        return self.line(node).ask(api, version, **fields)

    def quietly(self, api: str, version: int, *, node: int = 1, **fields: Any) -> Answer:
        """One question of which nothing is compared."""
        line = self.line(node)
        answer = line.quietly(api, version, **fields)
        line.close()
        return answer

    def tell(self, what: str, value: Any) -> None:
        """Put into the transcript what was not said by a broker in one answer."""
        self._tell(0, what, {"value": value})

    def _tell(self, node: int, asked: str, answer: Answer) -> None:
        self._told.append((node, asked, answer))

    # -- setting the scene ----------------------------------------------------------------------

    def name(self, meant: str) -> str:
        """A name that no other case has; answers are shown with `meant` in its place."""
        made = f"{meant}-{self._salt}"
        self._names[made] = meant
        return made

    def call(self, made: str, meant: str) -> None:
        """Show a name that the case has put together as another."""
        self._names[made] = meant

    def call_node(self, node: int, role: str) -> None:
        """Show a node, whose number hangs on a made-up name, by its role."""
        self._roles[node] = role

    def topic(
        self,
        meant: str = "orders",
        partitions: int = 1,
        replication: int = -1,
        *,
        on: Mapping[int, Sequence[int]] | None = None,
        **configs: str | int,
    ) -> str:
        """A new topic that every node knows.  `on`: replicas by partition; configs with _ for each dot."""
        made = self.name(meant)
        wanted = {
            "name": made,
            "num_partitions": -1 if on else partitions,
            "replication_factor": -1 if on else replication,
            "assignments": [{"partition_index": at, "broker_ids": ids} for at, ids in (on or {}).items()],
            "configs": [
                {"name": key.replace("_", "."), "value": str(value)} for key, value in configs.items()
            ],
        }
        answer = self.quietly("CreateTopics", 7, timeout=30_000, topics=[wanted])
        assert answer["topics"][0]["error_code"] == "NONE", answer
        self.until(lambda: self.is_led(made, len(on or range(partitions))), f"everybody knows {made}")
        return made

    def group(self, meant: str = "group") -> str:
        """The name of a group that its coordinator, node 1 unless there are more, is ready for."""
        made = self.name(meant)

        def ready() -> bool:
            found = self.quietly("FindCoordinator", 4, coordinator_keys=[made])["coordinators"][0]
            if found["error_code"] != "NONE":
                return False
            described = self.quietly("DescribeGroups", 5, node=found["node_id"], groups=[made])
            return bool(described["groups"][0]["error_code"] == "NONE")

        self.until(ready, f"{made} has a coordinator")
        return made

    def is_led(self, topic: str, partitions: int) -> bool:
        """Whether all nodes name leaders for a topic's partitions, and the leaders agree."""
        seen = [self.metadata(topic, node) for node in range(1, self.brokers.plan.nodes + 1)]
        known = all(len(each) == partitions and all(p["leader_id"] > 0 for p in each) for each in seen)
        # A broker knows of its leadership a moment before it has made the log.
        return known and all(self.serves(topic, p["leader_id"], p["partition_index"]) for p in seen[0])

    def serves(self, topic: str, node: int, index: int = 0) -> bool:
        """Whether a node leads a partition and acts on it."""
        asked = {"partition_index": index, "current_leader_epoch": -1, "timestamp": -1}
        topics = [{"name": topic, "partitions": [asked]}]
        answer = self.quietly("ListOffsets", 5, node=node, replica_id=-1, topics=topics)
        return bool(answer["topics"][0]["partitions"][0]["error_code"] == "NONE")

    def high_watermark(self, topic: str, node: int, index: int = 0) -> int:
        """How far a replica knows the records of a partition to be committed."""
        part = {"partition": index, "fetch_offset": 0, "partition_max_bytes": 1}
        topics = [{"topic": topic, "partitions": [part]}]
        answer = self.quietly("Fetch", 12, node=node, max_bytes=1, topics=topics)
        return int(answer["responses"][0]["partitions"][0]["high_watermark"])

    def is_known(self, topic: str) -> bool:
        """Whether any node knows the topic."""
        return any(self.metadata(topic, node) for node in range(1, self.brokers.plan.nodes + 1))

    def metadata(self, topic: str, node: int = 1) -> list[Answer]:
        """A topic's partitions as one node knows them, in order."""
        asked = [{"topic_id": None, "name": topic}]
        answer = self.quietly("Metadata", 12, node=node, topics=asked, allow_auto_topic_creation=False)
        return sorted(answer["topics"][0]["partitions"], key=lambda part: part["partition_index"])

    def id_of(self, topic: str) -> uuid.UUID:
        """A topic's id."""
        asked = [{"topic_id": None, "name": topic}]
        answer = self.quietly("Metadata", 12, topics=asked, allow_auto_topic_creation=False)
        return uuid.UUID(answer["topics"][0]["topic_id"])

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Let time pass until something is true."""
        until(self.brokers, true, what)

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._lines:
            line.close()

    # -- what it came to ------------------------------------------------------------------------

    def transcript(self) -> list[dict[str, Any]]:
        """What was heard, in its comparable form."""
        ports = {node: self.brokers.address(node)[1] for node in range(1, self.brokers.plan.nodes + 1)}
        symbols = Symbols(self._names, self.zero_ms, ports)
        return [
            {
                "to": self._roles.get(node, node),
                "asked": asked,
                "answer": symbols.normal(asked.split()[0], answer),
            }
            for node, asked, answer in self._told
        ]


Story = Callable[[Stage], None]


@dataclass(frozen=True)
class Case:
    """A story and where it is played."""

    number: str
    title: str
    story: Story
    plan: Plan
    area: str
    # Other numbers of the list that the same story answers.
    also: tuple[int, ...] = ()
    # The first release that it can be put to.
    since: tuple[int, ...] = ()

    def suits(self, release: str) -> bool:
        """Whether a release can be asked this."""
        return self.since <= tuple(map(int, release.split(".")))

    def play(self, brokers: Brokers) -> list[dict[str, Any]]:
        """Play it, and give what was heard."""
        stage = Stage(brokers)
        try:
            self.story(stage)
            return stage.transcript()
        finally:
            stage.close()


CASES: dict[str, Case] = {}


def case(
    number: str, title: str, on: Plan = ONE, also: tuple[int, ...] = (), since: tuple[int, ...] = ()
) -> Callable[[Story], Story]:
    """Register a case under its number; a letter behind it is for what one number's sentence leaves open."""

    def registered(story: Story) -> Story:
        assert number not in CASES, f"there are two cases {number}"
        area = story.__module__.rpartition(".")[2]
        CASES[number] = Case(number, title, story, on, area, also, since)
        return story

    return registered


def chosen(numbers: Iterable[str]) -> list[Case]:
    """These cases with their variants, or all."""
    wanted = list(numbers)
    return [
        one for one in CASES.values() if not wanted or one.number in wanted or _stem(one.number) in wanted
    ]


def told() -> set[int]:
    """The numbers of the list that have a story."""
    stems = {int(_stem(number)) for number in CASES}
    return stems | {number for one in CASES.values() for number in one.also}


def _stem(number: str) -> str:
    return number.rstrip("abcdefghijklmnopqrstuvwxyz")

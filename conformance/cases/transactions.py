"""A transactional producer that takes nothing for granted, as cases about transactions use it."""

from __future__ import annotations

from typing import Any

from conformance.cases.batches import batch
from conformance.cases.codec import Answer
from conformance.cases.line import Line
from conformance.cases.produce import to
from conformance.cases.stage import Stage

TRANSACTIONAL = 0x10

# FindCoordinator's word for transactional ids.
_TRANSACTION = 1

AT_REST = ("Empty", "CompleteCommit", "CompleteAbort")


class Payer:
    """A producer with a transactional id, of which `new` makes another one with the same name."""

    def __init__(self, it: Stage, name: str | None = None) -> None:
        self._it = it
        self.name = it.name("payer") if name is None else name
        self.id, self.epoch = -1, -1
        self.coordinator = self._find(1)
        self._line = it.line(self.coordinator)
        self._produce_line = it.line()

    def _find(self, via: int) -> int:
        """The node that coordinates the id, once it is ready to, by the word of another."""
        found: dict[str, Any] = {}

        def ready() -> bool:
            asked: dict[str, Any] = {"key_type": _TRANSACTION, "coordinator_keys": [self.name]}
            found.update(self._it.quietly("FindCoordinator", 4, node=via, **asked)["coordinators"][0])
            return found["error_code"] == "NONE" and self.state(found["node_id"]) is not None

        self._it.until(ready, f"{self.name} has a coordinator")
        return int(found["node_id"])

    def go_to_coordinator(self, via: int) -> None:
        """Find the coordinator again: it may be another one."""
        self.coordinator = self._find(via)
        self._line = self._it.line(self.coordinator)

    def state(self, node: int | None = None) -> str | None:
        """What the coordinator says of the id; "" when it does not know it, None when it cannot say."""
        at = self.coordinator if node is None else node
        try:
            answer = self._it.quietly("DescribeTransactions", 0, node=at, transactional_ids=[self.name])
        except ConnectionError:
            return None
        told = answer["transaction_states"][0]
        if told["error_code"] not in ("NONE", "TRANSACTIONAL_ID_NOT_FOUND"):
            return None
        return str(told["transaction_state"])

    def rest(self) -> None:
        """Wait until no transaction is open, and none is being ended."""
        self._it.until(lambda: self.state() in AT_REST, f"{self.name} is at rest")

    # -- what a producer says ---------------------------------------------------------------------

    def init(
        self, version: int = 4, *, timeout: int = 60_000, id: int = -1, epoch: int = -1, quiet: bool = False
    ) -> Answer:
        """InitProducerId; what it gives is remembered."""
        fields: dict[str, Any] = {"transactional_id": self.name, "transaction_timeout": timeout}
        if version >= 3:
            fields |= {"producer_id": id, "producer_epoch": epoch}
        ask = self._line.quietly if quiet else self._line.ask
        answer = ask("InitProducerId", version, **fields)
        if answer["error_code"] == "NONE":
            self.id, self.epoch = answer["producer_id"], answer["producer_epoch"]
        return answer

    def use_up(self, epoch: int) -> None:
        """Have InitProducerId give out every epoch up to this one."""
        fields = {
            "transactional_id": self.name,
            "transaction_timeout": 60_000,
            "producer_id": -1,
            "producer_epoch": -1,
        }
        answer = self._line.repeat("InitProducerId", 4, epoch - self.epoch, **fields)
        self.id, self.epoch = answer["producer_id"], answer["producer_epoch"]

    def began(self, **more: Any) -> Payer:
        """The same producer, with an id and an epoch of which nothing is compared."""
        self._it.until(lambda: self.init(quiet=True, **more)["error_code"] == "NONE", "a producer id")
        return self

    def who(self, **instead: Any) -> dict[str, Any]:
        """How it names itself."""
        return {"transactional_id": self.name, "producer_id": self.id, "producer_epoch": self.epoch} | instead

    def add(self, topic: str, *parts: int, version: int = 3, quiet: bool = False, **instead: Any) -> Answer:
        """AddPartitionsToTxn, as clients send it."""
        topics = [{"name": topic, "partitions": list(parts or (0,))}]
        return self.add_all(topics, version=version, quiet=quiet, **instead)

    def add_all(self, topics: Any, *, version: int = 3, quiet: bool = False, **instead: Any) -> Answer:
        """The same for several topics."""
        who = {f"v3_and_below_{name}": value for name, value in self.who(**instead).items()}
        ask = self._line.quietly if quiet else self._line.ask
        return ask("AddPartitionsToTxn", version, **who, v3_and_below_topics=topics)

    def write(
        self, topic: str, sequence: int, *values: bytes, part: int = 0, version: int = 9, plain: bool = False,
        quiet: bool = False, line: Any = None, **instead: Any,
    ) -> Answer:  # fmt: skip
        """Produce one batch of the transaction; `plain`: outside of it."""
        who = self.who(**instead)
        sent = batch(
            *(values or (b"paid",)),
            producer=(who["producer_id"], who["producer_epoch"], sequence),
            timestamp=self._it.zero_ms,
            attributes=0 if plain else TRANSACTIONAL,
        )
        line = self._produce_line if line is None else line
        ask = line.quietly if quiet else line.ask
        return ask(  # type: ignore[no-any-return]  # a line's answer is one
            "Produce", version, **to(topic, {part: sent}), transactional_id=who["transactional_id"]
        )

    def send_batch(self, line: Line, topic: str, sequence: int) -> None:
        """Produce one batch without waiting for the answer."""
        sent = batch(
            b"paid",
            producer=(self.id, self.epoch, sequence),
            timestamp=self._it.zero_ms,
            attributes=TRANSACTIONAL,
        )
        line.send("Produce", 9, **to(topic, {0: sent}), transactional_id=self.name)

    def end(self, *, commit: bool, version: int = 3, quiet: bool = False, **instead: Any) -> Answer:
        """EndTxn; what v5 gives for the next transaction is remembered."""
        ask = self._line.quietly if quiet else self._line.ask
        answer = ask("EndTxn", version, **self.who(**instead), committed=commit)
        if version >= 5 and answer.get("error_code") == "NONE":
            self.id, self.epoch = answer["producer_id"], answer["producer_epoch"]
        return answer

    def paid(self, topic: str, sequence: int = 0, *, commit: bool = True, part: int = 0) -> None:
        """A whole transaction of one batch, of which nothing is compared."""
        self._it.until(lambda: _ok_added(self.add(topic, part, quiet=True)), "its partition is added")
        self.write(topic, sequence, part=part, quiet=True)
        self.end(commit=commit, quiet=True)
        self.rest()

    def keep(
        self, group: str, topic: str, offset: int, *, version: int = 3, node: int = 1, **more: Any
    ) -> Answer:
        """TxnOffsetCommit of partition 0."""
        part = {"partition_index": 0, "committed_offset": offset, "committed_metadata": ""}
        topics = [{"name": topic, "partitions": [part]}]
        fields = self.who() | {"group_id": group, "topics": topics} | more
        return self._it.ask("TxnOffsetCommit", version, node=node, **fields)

    def add_offsets(self, group: str, version: int = 3, **instead: Any) -> Answer:
        """AddOffsetsToTxn."""
        return self._line.ask("AddOffsetsToTxn", version, **self.who(**instead), group_id=group)


def settled(it: Stage, transactional_id: str) -> None:
    """Wait until no transaction of this id is on its way to its end; one may be open."""
    payer = Payer(it, transactional_id)
    it.until(lambda: not str(payer.state()).startswith("Prepare"), f"{transactional_id} has ended")


def _ok_added(answer: Answer) -> bool:
    return bool(
        answer["results_by_topic_v3_and_below"][0]["results_by_partition"][0]["partition_error_code"]
        == "NONE"
    )

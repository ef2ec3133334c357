"""Asking a transaction's coordinator whether partitions belong to it, or to make them so (KIP-890).

The asker's side: a leader asks before it lets a transaction begin in its partition.  A question is answered once,
by the coordinator or by its silence; what the coordinator thinks is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC, coordinator_partition
from mockbroker.core.messages import AddPartitionsToTxn
from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.transactions.records import Place

# How long a broker waits for another one's answer: its own request.timeout.ms.
REQUEST_TIMEOUT_MS = 30_000


class Enrolments:
    """The questions of one broker that have no answer yet."""

    __slots__ = ("_node", "_open")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._open: list[_Enrolment] = []

    def ask(
        self, transactional_id: str, producer: tuple[int, int], places: Sequence[Place], *, add: bool
    ) -> Ticket[TxnVerdicts]:
        """Ask the coordinator whether partitions are part of a transaction; with `add`, make them so.

        One verdict for each place: NONE, or what the coordinator said; NETWORK_EXCEPTION where it could not be
        asked or did not answer, COORDINATOR_NOT_AVAILABLE where there is none.  A busy coordinator is asked again
        for a while to add them.
        """
        question = _Enrolment(self._node, transactional_id, producer, tuple(places), add=add)
        self._open.append(question)
        question.ticket.when_done(lambda _: self._open.remove(question))
        question.ask()
        return question.ticket

    def disconnected(self, broker: int) -> None:
        """A broker is gone, and with it what it would have answered."""
        for question in list(self._open):
            if question.asked == broker:
                question.fail()

    def clear(self) -> None:
        """This broker died, and nobody waits for it any more."""
        self._open.clear()


class _Enrolment:
    """One question to a coordinator, asked until there is an answer to live with."""

    __slots__ = (
        "_add",
        "_give_up_ms",
        "_incarnation",
        "_node",
        "_places",
        "_producer",
        "_transactional_id",
        "asked",
        "ticket",
    )

    def __init__(
        self,
        node: Node,
        transactional_id: str,
        producer: tuple[int, int],
        places: tuple[Place, ...],
        *,
        add: bool,
    ) -> None:
        self._node = node
        self._transactional_id = transactional_id
        self._producer = producer
        self._places = places
        self._add = add
        self._incarnation = node.incarnation
        self._give_up_ms = node.world.patience.now + node.config[settings.ADD_PARTITIONS_RETRY_BACKOFF_MAX_MS]
        # The broker whose answer is waited for.
        self.asked: int | None = None
        self.ticket: Ticket[TxnVerdicts] = Ticket(
            f"the coordinator of transaction {transactional_id} to say whether "
            + ", ".join(f"{topic}-{index}" for topic, index in places)
            + " belong to it"
        )

    @property
    def _over(self) -> bool:
        """Whether nobody waits for it: it is answered, or the broker that asked has died."""
        return self.ticket.done or self._node.incarnation != self._incarnation

    def ask(self) -> None:
        leader = self._coordinator()
        if leader is None:
            self._all(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        elif not self._node.reaches(leader):
            self.fail()
        else:
            self.asked = leader
            question = AddPartitionsToTxn(
                self._node.id, leader, self._transactional_id, self._producer, self._places,
                add=self._add, answered=self._answered, lost=self.fail,
            )  # fmt: skip
            self._node.links.send(question)
            self._node.world.when_settled(self._be_patient)

    def _coordinator(self) -> int | None:
        topic = self._node.image.topics.get(TRANSACTIONS_TOPIC)
        if topic is None:
            return None
        leader = topic.partitions[coordinator_partition(self._transactional_id, len(topic.partitions))].leader
        return leader if leader in self._node.world.nodes else None

    def _be_patient(self) -> None:
        if not self._over:
            timer = self._node.patient_in(REQUEST_TIMEOUT_MS, self.fail)
            self.ticket.when_done(lambda _: timer.cancel())

    def _answered(self, verdicts: TxnVerdicts) -> None:
        if self._over:
            return
        self.asked = None
        busy = self._add and ErrorCode.CONCURRENT_TRANSACTIONS in verdicts.values()
        backoff_ms = self._node.config[settings.ADD_PARTITIONS_RETRY_BACKOFF_MS]
        if busy and self._node.world.patience.now + backoff_ms <= self._give_up_ms:
            self._node.patient_in(backoff_ms, self.ask)
        else:
            self.ticket.resolve(verdicts)

    def fail(self) -> None:
        """There will be no answer."""
        self._all(ErrorCode.NETWORK_EXCEPTION)

    def _all(self, code: ErrorCode) -> None:
        if not self._over:
            self.ticket.resolve(dict.fromkeys(self._places, code))

"""What brokers say to each other about transactions: enrolment of partitions, and markers.

A leader asks the coordinator before it lets a transaction begin in its partition (KIP-890), and a coordinator has
leaders write markers.  Both are messages on links, so that they may be slow, held and lost like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC, coordinator_partition
from mockbroker.core.messages import (
    AddPartitionsToTxn,
    AddPartitionsToTxnResponse,
    WriteTxnMarkers,
    WriteTxnMarkersResponse,
)
from mockbroker.core.ticket import Ticket, then
from mockbroker.core.transactions.marking import write_markers
from mockbroker.core.transactions.transaction import BUMPS_EPOCHS
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockbroker.core.links import Message
    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply
    from mockbroker.core.transactions.records import Place

# How long a broker waits for another one's answer: its own request.timeout.ms.
REQUEST_TIMEOUT_MS = 30_000


# -- enrolment: the asker's side -------------------------------------------------------------------------


def enrol(
    node: Node, transactional_id: str, producer: tuple[int, int], places: Sequence[Place], *, add: bool
) -> Ticket[TxnVerdicts]:
    """Ask the coordinator whether partitions are part of a transaction; with `add`, make them so.

    One verdict for each place: NONE, or what the coordinator said; NETWORK_EXCEPTION where it could not be asked,
    COORDINATOR_NOT_AVAILABLE where there is none.  A busy coordinator is asked again for a while to add them.
    """
    return _Enrolment(node, transactional_id, producer, tuple(places), add=add).ticket


class _Enrolment:
    """One question to a coordinator, asked until there is an answer to live with."""

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
        self.ticket: Ticket[TxnVerdicts] = Ticket(
            f"the coordinator of transaction {transactional_id} to say whether "
            + ", ".join(f"{topic}-{index}" for topic, index in places)
            + " belong to it"
        )
        self._ask()

    def _ask(self) -> None:
        leader = self._coordinator()
        if leader is None:
            self._all(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        links, target = self._node.links, self._node.world.nodes[leader]
        if not target.up or not links.connected(self._node.id, leader):
            self._all(ErrorCode.NETWORK_EXCEPTION)
            return
        links.send(
            AddPartitionsToTxn(
                self._node.id, leader, self._transactional_id, self._producer, self._places,
                add=self._add, answered=self._answered,
            )
        )  # fmt: skip
        self._node.world.when_settled(self._be_patient)

    def _coordinator(self) -> int | None:
        topic = self._node.image.topics.get(TRANSACTIONS_TOPIC)
        if topic is None:
            return None
        leader = topic.partitions[coordinator_partition(self._transactional_id, len(topic.partitions))].leader
        return leader if leader in self._node.world.nodes else None

    def _be_patient(self) -> None:
        if not self.ticket.done:
            timer = self._node.patient_in(REQUEST_TIMEOUT_MS, lambda: self._all(ErrorCode.NETWORK_EXCEPTION))
            self.ticket.when_done(lambda _: timer.cancel())

    def _answered(self, verdicts: TxnVerdicts) -> None:
        if self.ticket.done or self._node.incarnation != self._incarnation:
            return
        busy = self._add and ErrorCode.CONCURRENT_TRANSACTIONS in verdicts.values()
        backoff_ms = self._node.config[settings.ADD_PARTITIONS_RETRY_BACKOFF_MS]
        if busy and self._node.world.patience.now + backoff_ms <= self._give_up_ms:
            self._node.patient_in(backoff_ms, self._ask)
        else:
            self.ticket.resolve(verdicts)

    def _all(self, code: ErrorCode) -> None:
        if not self.ticket.done:
            self.ticket.resolve(dict.fromkeys(self._places, code))


# -- what is received ------------------------------------------------------------------------------------


def receive_transactional(node: Node, message: Message) -> None:
    """Act on a message about transactions."""
    act = _ACTS.get(type(message))
    assert act is not None, f"{message!r} is not for a broker"
    act(node, message)


def _enrol_here(node: Node, asked: AddPartitionsToTxn) -> None:
    """The coordinator's side of an enrolment."""

    def answer(verdicts: TxnVerdicts) -> None:
        node.links.send(AddPartitionsToTxnResponse(asked, verdicts))

    def added(error: KafkaError | None) -> TxnVerdicts:
        return dict.fromkeys(asked.places, ErrorCode.NONE if error is None else ErrorCode(error.code))

    verdicts: Reply[TxnVerdicts]
    try:
        shard = node.coordinators.transaction_shard(asked.transactional_id)
        if asked.add:
            adding = shard.add_partitions(
                asked.transactional_id, asked.producer, asked.places, client_version=BUMPS_EPOCHS
            )
            verdicts = then(adding, added)
        else:
            verdicts = shard.verify_partitions(asked.transactional_id, asked.producer, asked.places)
    except KafkaError as refused:
        verdicts = dict.fromkeys(asked.places, ErrorCode(refused.code))
    _when_here(verdicts, answer)


def _write_here(node: Node, asked: WriteTxnMarkers) -> None:
    """A leader's side of the markers."""
    place = (asked.topic, asked.index)
    written = write_markers(
        node,
        asked.producer,
        [place],
        commit=asked.commit,
        coordinator_epoch=asked.coordinator_epoch,
        version=asked.version,
    )
    _when_here(written, lambda verdicts: node.links.send(WriteTxnMarkersResponse(asked, verdicts[place])))


def _written_there(node: Node, response: WriteTxnMarkersResponse) -> None:
    shard = node.coordinators.transactions.get(response.asked.coordinator_index)
    if shard is not None and shard.leader_epoch == response.asked.coordinator_epoch:
        shard.markers.receive(response)


def _when_here(verdicts: Reply[TxnVerdicts], then_do: Callable[[TxnVerdicts], None]) -> None:
    if isinstance(verdicts, Ticket):
        verdicts.when_done(then_do)
    else:
        then_do(verdicts)


_ACTS: Mapping[type, Callable[[Node, object], None]] = {
    AddPartitionsToTxn: _enrol_here,  # type: ignore[dict-item]  # each is only given its own kind
    AddPartitionsToTxnResponse: lambda _, response: response.asked.answered(response.verdicts),  # type: ignore[attr-defined]  # see above
    WriteTxnMarkers: _write_here,  # type: ignore[dict-item]  # see above
    WriteTxnMarkersResponse: _written_there,  # type: ignore[dict-item]  # see above
}

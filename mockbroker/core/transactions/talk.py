"""What a broker does when others speak to it about transactions: enrol partitions, write markers, hear answers.

A leader asks the coordinator before it lets a transaction begin in its partition (KIP-890), and a coordinator has
leaders write markers.  Both are messages on links, so that they may be slow, held and lost like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from collections.abc import Callable, Mapping

    from mockbroker.core.links import Message
    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply


def receive(node: Node, message: Message) -> None:
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

    missing = [place for place in asked.places if node.image.partition(*place) is None]
    verdicts: Reply[TxnVerdicts]
    if missing:
        # All or none, and this broker may not have heard of them yet.
        refused = dict.fromkeys(asked.places, ErrorCode.OPERATION_NOT_ATTEMPTED)
        answer(refused | dict.fromkeys(missing, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
        return
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


def lost(node: Node, message: Message) -> None:
    """A question of this broker's, or the answer to it, got lost."""
    if isinstance(message, AddPartitionsToTxn):
        message.lost()
    elif isinstance(message, WriteTxnMarkers):
        shard = node.coordinators.transactions.get(message.coordinator_index)
        if shard is not None and shard.leader_epoch == message.coordinator_epoch:
            shard.markers.lost(message)


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

"""WriteTxnMarkers: end transactions in partitions; said by coordinators, and by admins that end a hanging one.

Between the brokers of this cluster it is a message on links (see core/transactions/talk.py); as a request it is
answered to whoever sends it, as nobody is forbidden anything here.

v1 flexible - v2 the transaction's version (KIP-1228)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.ticket import Ticket
from mockbroker.core.transactions.marking import write_markers
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply

Place = tuple[str, int]


def refuse(call: Call[WriteTxnMarkersRequest], error: KafkaError) -> WriteTxnMarkersResponse:
    """Every partition of every marker refused."""
    code = ErrorCode(error.code)
    return WriteTxnMarkersResponse(
        markers=[_result(marker, dict.fromkeys(_places(marker), code)) for marker in call.body.markers]
    )


@answers(WriteTxnMarkersRequest, versions="1-2", refuse=refuse)
def write_txn_markers(call: Call[WriteTxnMarkersRequest], node: Node) -> Reply[WriteTxnMarkersResponse]:
    """Write them, and answer when all that could be written is replicated."""
    response = WriteTxnMarkersResponse()
    ticket: Ticket[WriteTxnMarkersResponse] = Ticket("transaction markers to be replicated")
    missing = len(call.body.markers)

    def arrived(at: int, verdicts: Mapping[Place, ErrorCode]) -> None:
        nonlocal missing
        response.markers[at] = _result(call.body.markers[at], verdicts)
        missing -= 1
        if not missing:
            ticket.resolve(response)

    response.markers = [WritableTxnMarkerResult() for _ in call.body.markers]
    for at, marker in enumerate(call.body.markers):
        written = write_markers(
            node,
            (marker.producer_id, marker.producer_epoch),
            _places(marker),
            commit=marker.transaction_result,
            coordinator_epoch=marker.coordinator_epoch,
            version=marker.transaction_version,
        )
        if isinstance(written, Ticket):
            written.when_done(lambda verdicts, at=at: arrived(at, verdicts))  # type: ignore[misc]  # a default binds the loop's value
        else:
            arrived(at, written)
    return ticket if call.body.markers else response


def _places(marker: WritableTxnMarker) -> list[Place]:
    return [(topic.name, index) for topic in marker.topics for index in topic.partition_indexes]


def _result(marker: WritableTxnMarker, verdicts: Mapping[Place, ErrorCode]) -> WritableTxnMarkerResult:
    return WritableTxnMarkerResult(
        producer_id=marker.producer_id,
        topics=[
            WritableTxnMarkerTopicResult(
                name=topic.name,
                partitions=[
                    WritableTxnMarkerPartitionResult(
                        partition_index=index, error_code=verdicts[topic.name, index]
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in marker.topics
        ],
    )

"""The sentences of transactions: who is which producer, what belongs to a transaction, and how it ends.

Each API has two functions: what is asked, and what the answer comes to.
"""

from __future__ import annotations

from typing import Any

from mockbroker.protocol.apis import Api
from mockbroker.timeline.places import counted, listed, places
from mockbroker.timeline.reading import Names, clean, error_name
from mockbroker.timeline.sentences_groups import ok_or_errors


def _producer(body: Any) -> str:
    return f"{clean(body.transactional_id)} producer {body.producer_id} epoch {body.producer_epoch}"


def _add_partitions(body: Any, _response: Any, names: Names) -> str:
    if body.transactions:
        return listed(
            f"{'verify ' if one.verify_only else ''}{_producer(one)}: {listed(map(str, places(one, names)))}"
            for one in body.transactions
        )
    where = listed(
        f"{clean(topic.name)}-{index}" for topic in body.v3_and_below_topics for index in topic.partitions
    )
    who = clean(body.v3_and_below_transactional_id)
    return f"{who} producer {body.v3_and_below_producer_id} epoch {body.v3_and_below_producer_epoch}: {where}"


def _add_offsets(body: Any, _response: Any, _names: Names) -> str:
    return f"{_producer(body)}: offsets of {clean(body.group_id)}"


def _keep_offsets(body: Any, _response: Any, names: Names) -> str:
    offsets = listed(f"{place}@{place.part.committed_offset}" for place in places(body, names))
    return f"{_producer(body)}: {clean(body.group_id)} {offsets}".rstrip()


def _end(body: Any, _response: Any, _names: Names) -> str:
    return f"{_producer(body)}: {'commit' if body.committed else 'abort'}"


def _ended(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    # From v5 on the next transaction has another epoch.
    return f"next epoch {response.producer_epoch}" if response.producer_epoch >= 0 else "ok"


def _markers(body: Any, _response: Any, names: Names) -> str:
    return listed(
        f"producer {marker.producer_id} epoch {marker.producer_epoch}: "
        f"{'commit' if marker.transaction_result else 'abort'} in {listed(map(str, places(marker, names)))}"
        for marker in body.markers
    )


def _ids(body: Any, _response: Any, _names: Names) -> str:
    return listed(map(clean, body.transactional_ids))


def _described(_body: Any, response: Any, _names: Names) -> str:
    return listed(
        error_name(one.error_code) if one.error_code else clean(one.transaction_state)
        for one in response.transaction_states
    )


def _filters(body: Any, _response: Any, _names: Names) -> str:
    return listed(map(clean, body.state_filters))


def _listed(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    return counted(len(response.transaction_states), "transactional id")


TABLE = {
    Api.ADD_PARTITIONS_TO_TXN: (_add_partitions, ok_or_errors),
    Api.ADD_OFFSETS_TO_TXN: (_add_offsets, ok_or_errors),
    Api.TXN_OFFSET_COMMIT: (_keep_offsets, ok_or_errors),
    Api.END_TXN: (_end, _ended),
    Api.WRITE_TXN_MARKERS: (_markers, ok_or_errors),
    Api.DESCRIBE_TRANSACTIONS: (_ids, _described),
    Api.LIST_TRANSACTIONS: (_filters, _listed),
}

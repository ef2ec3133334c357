"""The sentences of what clients do with records: producing, fetching, looking up offsets.

Each API has two functions: what is asked, and what the answer comes to.  Records are counted by their batches'
headers and never opened.
"""

from __future__ import annotations

from typing import Any

from mockbroker.protocol.apis import Api
from mockbroker.timeline.places import Place, answers, counted, listed, places
from mockbroker.timeline.reading import Names, clean, error_name, stored

_ACKS = {-1: "all", 0: "0", 1: "1"}
_TIMES = {-1: "LATEST", -2: "EARLIEST", -3: "MAX_TIMESTAMP", -4: "EARLIEST_LOCAL", -5: "LATEST_TIERED"}
READ_COMMITTED = 1


def _produce(body: Any, _response: Any, names: Names) -> str:
    told = listed(f"{place} {_contents(place)}" for place in places(body, names))
    whose = f" transactional.id={clean(body.transactional_id)}" if body.transactional_id else ""
    return f"{told} acks={_ACKS.get(body.acks, body.acks)}{whose}"


def _contents(place: Place) -> str:
    batches = stored(place.part.records)
    if not batches:
        return f"{len(place.part.records or b'')} bytes"
    told = counted(sum(batch.count for batch in batches), "record")
    first = batches[0]
    if first.producer_id >= 0:
        told += f" (producer {first.producer_id}/{first.producer_epoch} seq {first.base_sequence})"
    return told


def _produced(_body: Any, response: Any, names: Names) -> str:
    return answers(response, names, lambda place: f"@{place.part.base_offset}")


def _fetch(body: Any, response: Any, names: Names) -> str:
    asked = listed(f"{place} @{place.part.fetch_offset}" for place in places(body, names))
    if not asked:
        in_answer = listed(str(place) for place in places(response, names))
        asked = f"{in_answer} (as before)" if in_answer else "(as before)"
    return asked + (" read_committed" if body.isolation_level == READ_COMMITTED else "")


def _fetched(_body: Any, response: Any, names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    found = [place for place in places(response, names) if place.part.error_code or place.part.records]
    told = [
        error_name(place.part.error_code) if place.part.error_code else _records(place) for place in found
    ]
    if len(told) > 1:
        return listed(f"{place} {text}" for place, text in zip(found, told, strict=True))
    return told[0] if told else "nothing"


def _records(place: Place) -> str:
    batches = stored(place.part.records)
    if not batches:
        return "bytes that are no whole batch"
    first, last = batches[0].base_offset, batches[-1].last_offset
    count = counted(sum(batch.count for batch in batches if not batch.is_control), "record")
    return f"{count} @{first}" + (f"..{last}" if last > first else "")


def _list_offsets(body: Any, _response: Any, names: Names) -> str:
    every = list(places(body, names))
    times = {place.part.timestamp for place in every}
    if len(times) == 1:
        return f"{listed(map(str, every))} {_time(times.pop())}"
    return listed(f"{place} {_time(place.part.timestamp)}" for place in every)


def _time(timestamp: int) -> str:
    return _TIMES.get(timestamp, f"at {timestamp}")


def _listed_offsets(_body: Any, response: Any, names: Names) -> str:
    def tell(place: Place) -> str:
        old = place.part.old_style_offsets
        return ",".join(map(str, old)) if old else str(place.part.offset)

    return answers(response, names, tell)


def _epochs(body: Any, _response: Any, names: Names) -> str:
    return listed(f"{place} epoch {place.part.leader_epoch}" for place in places(body, names))


def _epoch_ends(_body: Any, response: Any, names: Names) -> str:
    return answers(
        response, names, lambda place: f"epoch {place.part.leader_epoch} ends at {place.part.end_offset}"
    )


def _delete_records(body: Any, _response: Any, names: Names) -> str:
    return listed(f"{place} before {place.part.offset}" for place in places(body, names))


def _deleted_records(_body: Any, response: Any, names: Names) -> str:
    return answers(response, names, lambda place: f"begins at {place.part.low_watermark}")


def _init_producer(body: Any, _response: Any, _names: Names) -> str:
    return f"transactional.id={clean(body.transactional_id)}" if body.transactional_id else "(idempotent)"


def _producer(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    return f"producer {response.producer_id} epoch {response.producer_epoch}"


def _partitions(body: Any, _response: Any, names: Names) -> str:
    return listed(map(str, places(body, names)))


def _producers(_body: Any, response: Any, names: Names) -> str:
    return answers(
        response, names, lambda place: counted(len(place.part.active_producers), "active producer")
    )


TABLE = {
    Api.PRODUCE: (_produce, _produced),
    Api.FETCH: (_fetch, _fetched),
    Api.LIST_OFFSETS: (_list_offsets, _listed_offsets),
    Api.OFFSET_FOR_LEADER_EPOCH: (_epochs, _epoch_ends),
    Api.DELETE_RECORDS: (_delete_records, _deleted_records),
    Api.INIT_PRODUCER_ID: (_init_producer, _producer),
    Api.DESCRIBE_PRODUCERS: (_partitions, _producers),
}

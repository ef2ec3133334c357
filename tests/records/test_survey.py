from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.record import read_records, write_record
from mockbroker.records.survey import Survey, survey
from tests.records.samples import MALFORMED

# (timestamp delta, key size or None, value size or None, headers)
Shape = tuple[int, int | None, int | None, int]
sizes = st.sampled_from([None, 0, 1, 3, 63, 64, 150, 9000])
shapes = st.tuples(
    st.sampled_from([0, 1, 63, 64, 9000, -1, -64, -70, 2**40]), sizes, sizes, st.integers(0, 2)
)
# Runs of equal records are what the columns are for; short ones and single ones lie in between.
runs = st.lists(st.tuples(shapes, st.sampled_from([1, 2, 9, 70])), min_size=1, max_size=4)


def body_of(shapes: Iterable[Shape], deltas: Iterable[int] | None = None) -> tuple[bytes, int]:
    body = bytearray()
    all_shapes = list(shapes)
    for delta, (stamp, key, value, headed) in zip(deltas or range(len(all_shapes)), all_shapes, strict=True):
        write_record(
            body,
            delta,
            stamp,
            None if key is None else bytes(key),
            None if value is None else bytes(value),
            [("h", b"v")] * headed,
        )
    return bytes(body), len(all_shapes)


def one_by_one(body: bytes, count: int) -> Survey:
    """The same answer by reading every record, the way that needs no proof."""
    records = list(read_records(body, count))
    stamps = [record.timestamp_delta for record in records]
    in_order = [record.offset_delta for record in records] == list(range(count))
    return Survey(min(stamps), max(stamps), any(record.key is None for record in records), in_order)


def outcome(body: bytes, count: int) -> Survey | None:
    try:
        return survey(body, count)
    except KafkaError:
        return None


def outcome_one_by_one(body: bytes, count: int) -> Survey | None:
    try:
        return one_by_one(body, count)
    except KafkaError:
        return None


@given(runs)
def test_the_fast_look_sees_what_reading_sees(runs: list[tuple[Shape, int]]) -> None:
    body, count = body_of(shape for shape, times in runs for _ in range(times))
    assert survey(body, count) == one_by_one(body, count)


@given(runs, st.data())
def test_the_fast_look_refuses_what_reading_refuses(
    runs: list[tuple[Shape, int]], data: st.DataObject
) -> None:
    body, count = body_of(shape for shape, times in runs for _ in range(times))
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    count += data.draw(st.sampled_from([0, 0, 0, 1, -1])) if count > 1 else 0
    assert outcome(bytes(damaged), count) == outcome_one_by_one(bytes(damaged), count)


@given(st.binary(max_size=60), st.integers(1, 8))
def test_garbage_is_refused_or_seen_as_it_is_read(body: bytes, count: int) -> None:
    assert outcome(body, count) == outcome_one_by_one(body, count)


@given(st.data())
def test_one_damaged_byte_among_equal_records_is_noticed(data: st.DataObject) -> None:
    body, count = body_of([(0, 3, 20, 0)] * 90)
    damaged = bytearray(body)
    damaged[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert outcome(bytes(damaged), count) == outcome_one_by_one(bytes(damaged), count)


@pytest.mark.parametrize(("body", "count"), MALFORMED)
def test_the_fast_look_refuses_malformed_records(body: bytes, count: int) -> None:
    with pytest.raises(KafkaError) as refused:
        survey(body, count)
    assert refused.value.code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize(("stamp", "longer_stamp"), [(0, 128), (64, 2**14)])
def test_a_longer_timestamp_before_a_shorter_key_is_no_record_of_the_same_shape(
    stamp: int, longer_stamp: int
) -> None:
    """Both records have the same size, and the same bytes wherever the first one has its sizes."""
    body, count = body_of([(stamp, 1, 20, 0), (longer_stamp, None, 20, 0), *[(0, 5, 5, 0)] * 8])
    assert survey(body, count) == Survey(0, longer_stamp, null_keys=True, in_order=True)


@pytest.mark.parametrize("size", [10, 100])
def test_offsets_of_one_two_and_three_bytes_are_counted(size: int) -> None:
    body, count = body_of([(n // 100, None, size, 0) for n in range(8300)])
    assert survey(body, count) == Survey(0, 82, null_keys=True, in_order=True)


@pytest.mark.parametrize("changed", [1, 30, 64, 65, 100])
def test_an_offset_out_of_order_is_noticed_anywhere_in_a_run(changed: int) -> None:
    deltas = [*range(changed), changed - 1, *range(changed + 1, 130)]
    body, count = body_of([(0, None, 100, 0)] * 130, deltas)
    assert not survey(body, count).in_order


@pytest.mark.parametrize("position", [0, 1, 50, 64, 99])
def test_the_oldest_and_newest_timestamps_are_found_in_a_run(position: int) -> None:
    stamps = [0] * 100
    stamps[position], stamps[99 - position] = 40, -40
    body, count = body_of([(stamp, 2, 100, 0) for stamp in stamps])
    assert survey(body, count) == Survey(-40, 40, null_keys=False, in_order=True)

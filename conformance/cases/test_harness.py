"""The judge is judged: what comparing must notice, and what it must not mind."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cases import batches
from conformance.cases.batches import batch
from conformance.cases.brokers import ONE, mock_brokers
from conformance.cases.compare import differences
from conformance.cases.normal import Symbols
from conformance.cases.record import Recording
from conformance.cases.stage import Case, Stage

ZERO_MS = 1_700_000_000_000


def entry(**answer: Any) -> dict[str, Any]:
    return {"to": 1, "asked": "Fetch v12", "answer": answer}


def places(recorded: list[dict[str, Any]], heard: list[dict[str, Any]]) -> list[str]:
    return [difference.at for difference in differences(recorded, heard)]


def symbols() -> Symbols:
    return Symbols({"orders-77": "orders"}, ZERO_MS, {1: 40_000})


@pytest.mark.parametrize(
    ("recorded", "heard", "at"),
    [
        ([entry(a=1)], [entry(a=2)], ["a"]),
        ([entry(a=1)], [entry(a=1, b=None)], ["b"]),
        ([entry(a=[1, 2])], [entry(a=[2, 1])], ["a[0]", "a[1]"]),
        ([entry(a=[1])], [entry(a=[1, 1])], ["a"]),
        ([entry(a={"b": [{"c": 1}]})], [entry(a={"b": [{"c": None}]})], ["a.b[0].c"]),
        ([entry(a=1)], [entry(a=1), entry(a=2)], [""]),
        ([entry(a=1)], [entry(a=1)], []),
    ],
)
def test_a_difference_is_found_where_it_is(
    recorded: list[dict[str, Any]], heard: list[dict[str, Any]], at: list[str]
) -> None:
    assert places(recorded, heard) == at


def test_apis_that_are_not_there_yet_are_no_difference_but_their_versions_are() -> None:
    kafka = [{"to": 1, "asked": "ApiVersions v0", "answer": {"api_keys": ["0: 0-13", "24: 0-5"]}}]
    ours = [{"to": 1, "asked": "ApiVersions v0", "answer": {"api_keys": ["0: 0-13"]}}]
    assert places(kafka, ours) == []
    ours[0]["answer"] = {"api_keys": ["0: 0-12"]}
    assert places(kafka, ours) == ["api_keys[0]"]


def test_ids_are_numbered_in_order_so_that_equal_ones_stay_equal() -> None:
    one, other = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
    answer = {"a": one, "b": f"case-{other}", "c": one, "producer_id": 7_000, "port": 40_000}
    assert symbols().normal("JoinGroup", answer) == {
        "a": "<uuid 1>",
        "b": "case-<uuid 2>",
        "c": "<uuid 1>",
        "producer_id": "<producer id 1>",
        "port": "<port of 1>",
    }


def test_times_are_told_from_numbers() -> None:
    answer = {
        "chosen": ZERO_MS + 5,
        "clock": ZERO_MS + 1_000_000,
        "odd": ZERO_MS * 2,
        "offset": 5,
        "none": -1,
    }
    assert symbols().normal("Fetch", answer) == answer | {"chosen": "<zero+5>", "clock": "<now>"}


def test_a_message_is_there_or_it_is_not() -> None:
    said = {"error_message": "orders-77 is gone", "name": "orders-77"}
    assert symbols().normal("Produce", said) == {"error_message": "<text>", "name": "orders"}
    for nothing in (None, ""):
        assert symbols().normal("Produce", {"error_message": nothing}) == {"error_message": nothing}


@pytest.mark.parametrize("codec", range(5))
def test_a_batch_reads_as_it_was_written(codec: int) -> None:
    written = batch((b"k", b"v"), b"w", codec=codec, timestamp=9, producer=(1, 2, 3))
    (read,) = batches.read(written)
    assert read["records"] == [[0, 0, "k", "v", []], [1, 0, None, "w", []]]
    assert (read["codec"], read["crc_is_right"], read["base_sequence"]) == (batches.CODECS[codec], True, 3)


def test_a_broken_and_a_torn_batch_say_so() -> None:
    whole = batch(b"v")
    broken, torn = batches.read(batch(b"v", crc=1) + whole[:-1])
    assert not broken["crc_is_right"]
    assert torn == {"torn": True}


@pytest.mark.parametrize(
    ("plays", "ended"),
    [
        ([7], "1 cases played, 0 new or changed"),
        ([8, 7], "1 cases played, 0 new or changed, unsteady: 1"),
        ([8, 8], "1 cases played, 1 new or changed"),
        ([8, 9, 7], "1 cases played, 0 new or changed, unsteady: 1"),
        ([8, 9, 6], "1 cases played, 1 new or changed"),
        ([None, 7], "1 cases played, 0 new or changed, unsteady: 1"),
        ([None, None, None], "0 cases played, 0 new or changed"),
    ],
)
def test_what_two_plays_say_has_changed_and_nothing_else(
    plays: list[int | None], ended: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(plays)

    def story(it: Stage) -> None:
        answer = next(answers)
        assert answer is not None, "this play breaks off"
        it.tell("the answer", answer)

    known = Case("1", "known", lambda it: it.tell("the answer", 7), ONE, "a")
    with mock_brokers(ONE) as brokers:
        recording = Recording({"1": known.play(brokers)})
        recording.take(Case("1", "asked", story, ONE, "a"), brokers)
    changed = recording.report(show=False)
    told = capsys.readouterr().out
    assert told.endswith(f"{ended}\n")
    assert ("in one play" in told) == ("unsteady" in ended and None not in plays)
    assert (changed, recording.failed) == ("1 new" in ended, plays == [None] * 3)
    assert not list(answers)

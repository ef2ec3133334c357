"""Events as data: everything that was said, nothing that is secret, and nothing without bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockbroker.protocol.messages import configs, sasl
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.plain import CHARACTERS_MAX, KEYS_MAX, jsonl, plain_event, records, value
from mockbroker.timeline.reading import REDACTED, Names
from mockbroker.timeline.wire import asked_line, happened_line
from tests.timeline.evidence import Telling
from tests.timeline.test_sentences import (
    COMMIT,
    NAMES,
    batch,
    committed,
    fetched,
    produced,
    to_fetch,
    to_produce,
)


def test_an_event_says_when_who_what_and_all_that_was_said() -> None:
    telling = Telling()
    call = telling.call("app-a", COMMIT)
    telling.after(3)
    telling.history.standing = lambda _broker, _group: "Stable, 1 member"
    telling.history.record(1, call, committed(22))
    told = plain_event(telling.history.events[-1], NAMES, 0)
    request, response = told.pop("request"), told.pop("response")
    assert told == {
        "number": 1,
        "t_ms": 3.0,
        "broker_time_ms": 3,
        "kind": "request",
        "text": "OffsetCommit billing gen 3 orders-0@5 -> ILLEGAL_GENERATION",
        "broker": 1,
        "client_id": "app-a",
        "connection": 1,
        "peer": "127.0.0.1:0",
        "groups": ["billing"],
        "topics": ["orders"],
        "api": "OffsetCommit",
        "version": 10,
        "correlation_id": 1,
        "took_ms": 3.0,
        "errors": ["ILLEGAL_GENERATION"],
    }
    assert request["group_id"] == "billing"
    assert request["topics"][0]["partitions"] == [{"committed_offset": 5}]
    assert response["topics"][0]["partitions"] == [{"error_code": 22}]


def test_lines_are_json_one_for_each_event() -> None:
    telling = Telling()
    telling.history.act("append orders-0 @0", topic="orders", partition=0, offset=0)
    telling.said("app", to_fetch(0), fetched(batch(1)))
    act, request = (json.loads(line) for line in jsonl(telling.evidence()).splitlines())
    assert (act["kind"], act["facts"]["offset"], act["topics"]) == ("act", 0, ["orders"])
    assert request["response"]["responses"][0]["partitions"][0]["records"]["batches"][0]["records"] == 1


def test_records_are_summed_up_by_their_places_and_first_keys() -> None:
    many = [NewRecord(b"k%d" % n, b"v" * 1000, (), 0) for n in range(KEYS_MAX + 5)]
    told = records(bytes(build_batch(many, now_ms=0, producer_id=7, producer_epoch=1, base_sequence=3).data))
    (first,) = told["batches"]
    keys = first.pop("keys")
    assert first == {
        "base_offset": 0,
        "last_offset": KEYS_MAX + 4,
        "records": KEYS_MAX + 5,
        "producer_id": 7,
        "producer_epoch": 1,
        "base_sequence": 3,
    }
    assert keys == [*(f"k{n}" for n in range(KEYS_MAX)), "…"]


def test_records_that_cannot_be_read_are_told_as_such() -> None:
    broken = bytearray(batch(1))
    broken[-3:] = b"\xff\xff\xff"
    assert records(b"junk") == {"bytes": 4, "batches": []}
    assert str(records(bytes(broken))["batches"][0]["keys"]).startswith("cannot be read: ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"text", "text"),
        (b"", ""),
        (b"\x00\xff", {"base64": "AP8=", "bytes": 2}),
        (b"a\nb", {"base64": "YQpi", "bytes": 3}),
        (b"x" * 900, {"text": "x" * CHARACTERS_MAX, "bytes": 900}),
        ("y" * 900, "y" * CHARACTERS_MAX + "… (900 characters)"),
        (None, None),
        (True, True),
    ],
)
def test_values_are_text_where_they_are_text_and_cut_where_they_are_long(given: Any, told: Any) -> None:
    assert value(given, Names()) == told


def test_long_lists_are_cut_and_say_how_long_they_were() -> None:
    told = value(list(range(1_000)), Names())
    assert (told[0], told[-1], len(told)) == (0, "… (1000 in all)", 201)


SECRET = "correct horse"
SECRETS = [
    (
        sasl.SaslAuthenticateRequest(auth_bytes=SECRET.encode()),
        sasl.SaslAuthenticateResponse(auth_bytes=SECRET.encode()),
    ),
    (
        sasl.AlterUserScramCredentialsRequest(
            upsertions=[
                sasl.ScramCredentialUpsertion(name="u", salt=SECRET.encode(), salted_password=SECRET.encode())
            ]
        ),
        sasl.AlterUserScramCredentialsResponse(),
    ),
    (
        configs.IncrementalAlterConfigsRequest(
            resources=[
                configs.IncrementalAlterConfigsResource(
                    configs=[configs.IncrementalAlterableConfig(name="ssl.keystore.password", value=SECRET)]
                )
            ]
        ),
        configs.IncrementalAlterConfigsResponse(),
    ),
]


@pytest.mark.parametrize(("request_", "response"), SECRETS, ids=lambda m: type(m).__name__)
def test_secrets_are_left_out_of_files_lines_and_sentences(request_: Any, response: Any) -> None:
    telling = Telling()
    call = telling.call("u", request_)
    begun_line = asked_line(telling.history.open[call], Names(), 0)
    telling.history.record(1, call, response)
    event = telling.history.events[-1]
    told = [begun_line, happened_line(event, Names(), 0), jsonl(telling.evidence())]
    assert REDACTED in told[0]
    assert [text for text in told if SECRET in text] == []


def test_the_lines_of_a_wire_log_say_who_said_what_to_whom() -> None:
    telling = Telling()
    telling.after(5)
    call = telling.call("app", to_produce(batch(1), acks=1), version=13)
    asked = asked_line(telling.history.open[call], NAMES, 0)
    telling.history.record(1, call, produced())
    answered = happened_line(telling.history.events[-1], NAMES, 0)
    assert asked.startswith('5.0 broker 1 app c1 > Produce v13 #1 {"transactional_id": null, "acks": 1')
    assert answered.startswith('5.0 broker 1 app c1 < Produce v13 #1 {"responses": ')
    telling.history.note(2, "crash")
    assert happened_line(telling.history.events[-1], NAMES, 0) == "5.0 broker 2 * crash"
    telling.history.act("append orders-0 @0")
    assert happened_line(telling.history.events[-1], NAMES, 0) == "5.0 test * append orders-0 @0"
    telling.history.closed(1, telling.peer("app"), "app", "the connection ended")
    assert happened_line(telling.history.events[-1], NAMES, 0) == "5.0 broker 1 app c1 * the connection ended"


def test_nothing_at_all_is_no_lines() -> None:
    assert jsonl(Evidence()) == ""

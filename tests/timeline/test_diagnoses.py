"""Each diagnosis: a history in which it speaks, and the near miss in which it is silent."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.conversation import Conversation
from mockbroker.core.call import Peer
from mockbroker.core.groups.views import Generation
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from mockbroker.protocol.messages.groups import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
)
from mockbroker.protocol.messages.metadata import (
    ApiVersionsRequest,
    MetadataRequest,
    MetadataResponse,
    MetadataTopic,
    TopicMetadata,
)
from mockbroker.protocol.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
)
from mockbroker.protocol.messages.telemetry import GetTelemetrySubscriptionsRequest
from mockbroker.timeline.diagnoses import DIAGNOSES, TOLD_MAX, diagnose
from mockbroker.timeline.evidence import (
    Evidence,
    FaultFacts,
    GateFacts,
    GroupFacts,
    MemberFacts,
    OpenTransaction,
    Parked,
    PartitionFacts,
)
from tests.core.simulation import Simulation
from tests.server.wire import framed
from tests.timeline.evidence import Telling
from tests.timeline.test_sentences import (
    LIST_LATEST,
    LOOK_UP,
    batch,
    committed,
    fetched,
    listed,
    looked_up,
    produced,
    to_fetch,
    to_produce,
)

ORDERS = ("orders", 0)


def told(evidence: Evidence) -> list[str]:
    return [str(one) for one in diagnose(evidence)]


def test_nothing_is_the_matter_with_nothing() -> None:
    assert told(Evidence()) == []


# -- the `latest` race --------------------------------------------------------------------------------


def race(telling: Telling, *, committed_offset: int = -1, end: int = 1) -> None:
    telling.said("app-a", LOOK_UP, looked_up(committed_offset))
    telling.said("app-a", LIST_LATEST, listed(end))


def test_a_record_before_latest_is_known_is_never_delivered() -> None:
    telling = Telling()
    telling.history.act("append", topic="orders", partition=0, offset=0)
    telling.after(2)
    race(telling)
    (diagnosis,) = diagnose(telling.evidence())
    assert str(diagnosis) == (
        "orders-0@0 was appended 2.0 ms BEFORE group billing resolved auto.offset.reset=latest to 1.\n"
        "The record will never be delivered. Use group.wait_positioned() before producing, or `earliest`."
    )
    assert diagnosis.events == (1, 3)


def test_records_of_a_producer_count_as_well_and_are_told_as_a_range() -> None:
    telling = Telling()
    telling.said("p", to_produce(batch(2), acks=-1), produced(offset=0))
    telling.said("p", to_produce(batch(1), acks=-1), produced(offset=2))
    race(telling, end=3)
    (one,) = told(telling.evidence({b"o" * 16: "orders"}))
    assert one.startswith("orders-0@0..2 were appended up to 0.0 ms BEFORE group billing resolved")


def test_a_consumer_without_a_group_is_known_by_where_it_fetches() -> None:
    telling = Telling()
    telling.history.act("append", topic="orders", partition=0, offset=0)
    telling.said("app-a", LIST_LATEST, listed(1))
    assert told(telling.evidence()) == []
    telling.said("app-a", to_fetch(1), FetchResponse())
    assert "BEFORE app-a resolved" in told(telling.evidence())[0]


@pytest.mark.parametrize("why", ["committed", "appended after", "earliest", "only asks", "nothing appended"])
def test_there_is_no_race_where_nothing_is_missed(why: str) -> None:
    telling = Telling()
    if why not in ("appended after", "nothing appended"):
        telling.history.act("append", topic="orders", partition=0, offset=0)
    if why == "earliest":
        earliest = ListOffsetsRequest(
            topics=[ListOffsetsTopic(name="orders", partitions=[ListOffsetsPartition(timestamp=-2)])]
        )
        telling.said("app-a", LOOK_UP, looked_up(-1))
        telling.said("app-a", earliest, listed(0))
    elif why == "only asks":
        telling.said("admin", LIST_LATEST, listed(1))
        telling.said("admin", to_fetch(0), FetchResponse())
    else:
        race(telling, committed_offset=0 if why == "committed" else -1, end=0 if "append" in why else 1)
    if why == "appended after":
        telling.history.act("append", topic="orders", partition=0, offset=0)
    assert told(telling.evidence()) == []


# -- groups -------------------------------------------------------------------------------------------


def commit(offset: int, member: str = "app-a-1", generation: int = 1) -> OffsetCommitRequest:
    part = OffsetCommitPartition(committed_offset=offset)
    return OffsetCommitRequest(
        group_id="billing",
        generation_id_or_member_epoch=generation,
        member_id=member,
        topics=[OffsetCommitTopic(name="orders", partitions=[part])],
    )


def generation(number: int, at_ms: int, reason: str, **owned: list[int]) -> Generation:
    members = {name.replace("_", "-"): {"orders": parts} for name, parts in owned.items()}
    return Generation(number, at_ms, 1, reason, members, 0)


def test_a_commit_of_a_member_that_was_left_behind_says_who_goes_on() -> None:
    telling = Telling()
    telling.after(3_000)
    telling.said("app-a", commit(7), committed(22))
    group = GroupFacts("billing", generations=[generation(2, 1_000, "app-b-1 joined", app_b_1=[0])])
    (one,) = told(telling.evidence(groups={"billing": group}))
    assert one.startswith(
        "app-a committed orders-0@7 for group billing in generation 1, but generation 2 had begun 2.0 s before "
        "(app-b-1 joined): ILLEGAL_GENERATION, nothing was committed.\n"
        "What it had processed since its last commit is delivered again, to app-b-1."
    )


@pytest.mark.parametrize("code", [0, 27, 16])
def test_a_commit_that_is_taken_or_may_be_repeated_is_none_of_the_past(code: int) -> None:
    telling = Telling()
    telling.said("app-a", commit(7), committed(code))
    assert told(telling.evidence()) == []


def test_a_member_that_fell_silent_is_told_with_its_last_word() -> None:
    telling = Telling()
    join = JoinGroupRequest(group_id="billing", session_timeout_ms=45_000)
    telling.said("app-a", join, JoinGroupResponse(generation_id=1, leader="app-a-1", member_id="app-a-1"))
    beat = HeartbeatRequest(group_id="billing", generation_id=1, member_id="app-a-1")
    telling.said("app-a", beat, HeartbeatResponse())
    telling.after(45_000)
    group = GroupFacts(
        "billing", generations=[generation(2, 45_000, "app-a-1 sent no heartbeat for its session timeout")]
    )
    (one,) = told(telling.evidence(groups={"billing": group}))
    assert one.startswith(
        "Member app-a-1 of group billing sent no heartbeat for its session timeout (session.timeout.ms=45000) "
        "and was put out; its last word was Heartbeat billing gen 1 45.0 s of broker time before."
    )


def test_a_member_that_left_was_not_silent() -> None:
    group = GroupFacts("billing", generations=[generation(2, 0, "app-a-1 left")])
    assert told(Telling().evidence(groups={"billing": group})) == []


def stuck(state: str, *, present: bool) -> GroupFacts:
    members = [
        MemberFacts("app-a-1", "app-a", 6_000, present=present),
        MemberFacts("app-b-1", "app-b", 6_000),
    ]
    return GroupFacts("billing", state, 1, members=members)


def test_a_rebalance_that_waits_says_for_whom_and_what_it_said_last() -> None:
    telling = Telling()
    beat = HeartbeatRequest(group_id="billing", generation_id=1, member_id="app-a-1")
    telling.said("app-a", beat, HeartbeatResponse(error_code=27))
    telling.after(2_900)
    (one,) = told(telling.evidence(groups={"billing": stuck("PreparingRebalance", present=False)}))
    assert one == (
        "The rebalance of group billing (PreparingRebalance, generation 1) waits for app-a-1, which has not sent "
        "JoinGroup. Its last word to the group was Heartbeat billing gen 1 -> REBALANCE_IN_PROGRESS, 2.9 s ago.\n"
        "A consumer joins again inside poll(): is it processing, paused or dead? "
        "group.evict('app-a') ends the wait."
    )


def test_a_sync_that_is_missing_is_told_as_such() -> None:
    facts = {"billing": stuck("CompletingRebalance", present=False)}
    assert "which has not sent SyncGroup." in told(Telling().evidence(groups=facts))[0]


@pytest.mark.parametrize("facts", [stuck("Stable", present=False), stuck("PreparingRebalance", present=True)])
def test_a_group_that_waits_for_nobody_is_not_stuck(facts: GroupFacts) -> None:
    assert told(Telling().evidence(groups={"billing": facts})) == []


# -- clients ------------------------------------------------------------------------------------------


def refused(data: bytes) -> list[str]:
    """What is told of a client that sends these bytes."""
    sim = Simulation(1)
    Conversation(sim.world.nodes[1], Peer("127.0.0.1", 4711, ordinal=1)).feed(data)
    return told(Evidence(events=list(sim.world.history.events)))


def test_a_client_that_speaks_tls_was_given_the_wrong_listener() -> None:
    (one,) = refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert one == (
        "A client at 127.0.0.1:4711 (connection 1) sent a TLS handshake to broker 1.\n"
        "The listener is PLAINTEXT: set security.protocol=PLAINTEXT, or leave the TLS settings out."
    )


@pytest.mark.parametrize("verb", [b"GET / HTTP/1.1\r\n", b"POST /topics HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n"])
def test_a_client_that_speaks_http_was_given_the_wrong_address(verb: bytes) -> None:
    (one,) = refused(verb)
    assert one.startswith(
        "A client at 127.0.0.1:4711 (connection 1) sent HTTP to broker 1.\nThis is a Kafka port"
    )


def test_other_bytes_are_told_as_they_are() -> None:
    (one,) = refused(b"\xff\xff\xff\xf0....")
    assert "sent what is no Kafka request (a frame of -16 bytes)" in one


def test_a_version_that_was_never_offered_is_named_with_those_that_are() -> None:
    request = bytearray(framed(ApiVersionsRequest(), 3, client_id="old"))
    request[4:8] = (0).to_bytes(2, "big") + (1).to_bytes(2, "big")  # Produce v1
    (one,) = refused(bytes(request))
    assert one.startswith("old sent Produce v1: this version was never advertised, versions 3 to ")


def unheard_of() -> bytes:
    request = bytearray(framed(ApiVersionsRequest(), 0, client_id="new"))
    request[4:8] = (999).to_bytes(2, "big") + bytes(2)
    return bytes(request)


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (framed(GetTelemetrySubscriptionsRequest(), 0, client_id="new"), "GetTelemetrySubscriptions v0"),
        (unheard_of(), "API key 999 v0"),
    ],
)
def test_an_api_that_is_not_served_is_named(request_: bytes, what: str) -> None:
    (one,) = refused(request_)
    assert one.startswith(f"new asked for {what}: ")


def unknown(telling: Telling, topic: str) -> None:
    answer = MetadataResponse(topics=[TopicMetadata(name=topic, error_code=3)])
    telling.said("app-a", MetadataRequest(topics=[MetadataTopic(name=topic)]), answer)


def test_a_misspelled_topic_is_told_with_what_was_meant() -> None:
    telling = Telling()
    unknown(telling, "order")
    unknown(telling, "order")
    (one,) = told(telling.evidence(topics={"orders": 3, "bills": 1}, auto_create=False))
    assert one.startswith(
        "app-a asked for topic 'order', 2 times; there is none, and auto.create.topics.enable=false does not let "
        "it be created.\nDid you mean orders?"
    )


def test_a_topic_that_was_made_meanwhile_is_nobodys_trouble() -> None:
    telling = Telling()
    unknown(telling, "orders")
    assert told(telling.evidence(topics={"orders": 1})) == []


def test_a_client_whose_answer_a_rule_keeps_is_told() -> None:
    telling = Telling()
    call = telling.call("app-a", commit(7))
    telling.after(1_500)
    parked = Parked(1, "app-a", "HOST", "dropped")
    assert told(telling.evidence(open=list(telling.history.open.values()), parked=[parked])) == []
    call.touched = ("f1",)
    (one,) = told(telling.evidence(open=list(telling.history.open.values()), parked=[parked]))
    assert one.startswith(
        "app-a (c1) has waited 1.5 s for the answer to OffsetCommit billing gen 1 orders-0@7, "
        "which fault f1 keeps from it: dropped.\n"
    )


# -- logs ---------------------------------------------------------------------------------------------


def reading_committed(telling: Telling, records: Any = b"") -> None:
    part = FetchPartition(partition=0, fetch_offset=5)
    request = FetchRequest(isolation_level=1, topics=[FetchTopic(topic="orders", partitions=[part])])
    telling.said("app-a", request, fetched(records))


HELD = PartitionFacts(
    "orders", 0, high_watermark=8, last_stable=5, end=8, transactions=[OpenTransaction(7, 5)]
)


def test_a_reader_of_committed_records_is_told_whose_transaction_holds_it_back() -> None:
    telling = Telling()
    reading_committed(telling)
    (one,) = told(telling.evidence(partitions={ORDERS: HELD}))
    assert one == (
        "app-a reads orders-0 with read_committed and stands at 5, the last stable offset: 3 offsets up to 8 are "
        "held back by the open transaction of producer 7 that began at 5.\n"
        "They are delivered when that transaction is committed or aborted."
    )


def test_a_reader_that_gets_records_or_everything_is_not_held_back() -> None:
    telling = Telling()
    reading_committed(telling, batch(1))
    telling.said("app-b", to_fetch(5), FetchResponse())
    assert told(telling.evidence(partitions={ORDERS: HELD})) == []


@pytest.mark.parametrize(
    ("markers", "committed_at", "is_told"),
    [((3,), 3, True), ((3,), 2, False), ((3,), 4, False), ((), 3, False), ((2, 3), 2, True)],
)
def test_a_lag_of_control_records_only_is_no_lag(
    markers: tuple[int, ...], committed_at: int, is_told: bool
) -> None:
    partition = PartitionFacts("orders", 0, high_watermark=4, last_stable=4, end=4, markers=markers)
    group = GroupFacts("billing", committed={ORDERS: committed_at})
    found = told(Telling().evidence(partitions={ORDERS: partition}, groups={"billing": group}))
    assert [one.split(":")[0] for one in found] == (
        [f"Group billing has committed orders-0@{committed_at} and lags by {4 - committed_at}"] * is_told
    )


# -- what the test has set up -------------------------------------------------------------------------


def test_a_rule_that_never_acted_tells_what_came_near() -> None:
    faults = [
        FaultFacts("f1", "armed but never hit: on JoinGroup group=g nth=3"),
        FaultFacts("f2", "hit", hits=1),
        FaultFacts("f3", "may be idle", optional=True),
    ]
    (one,) = told(Telling().evidence(faults=faults))
    assert one.startswith("armed but never hit: on JoinGroup group=g nth=3\n")


def test_a_gate_that_holds_somebody_is_told() -> None:
    gates = [GateFacts("g1", ["SyncGroup of app-a"]), GateFacts("g2")]
    (one,) = told(Telling().evidence(gates=gates))
    assert one == "Gate g1 still holds SyncGroup of app-a.\nNothing behind it goes on before gate.release()."


def test_the_same_trouble_many_times_is_told_a_few_times() -> None:
    faults = [FaultFacts(f"f{n}", f"never hit {n}") for n in range(TOLD_MAX + 4)]
    found = told(Telling().evidence(faults=faults))
    assert len(found) == TOLD_MAX + 1
    assert found[-1] == "... and 4 more like the last."


def test_every_diagnosis_has_a_sentence_about_itself() -> None:
    assert all(examine.__doc__ for examine in DIAGNOSES)

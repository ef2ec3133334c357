from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mockbroker import Cluster, UsageError
from mockbroker.handles.records import Record, TopicPartition
from mockbroker.records.builder import build_batch
from mockbroker.waiting import WaitTimeout


def test_a_topic_has_as_many_copies_as_there_are_brokers_and_three_at_most(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create(partitions=2)
    assert mockbroker.topic("orders").partitions == [("orders", 0), ("orders", 1)]
    assert sorted(mockbroker.topic("orders").partition(1).replicas) == [1, 2, 3]


@pytest.mark.mockbroker(brokers=1)
def test_a_topic_of_a_single_broker_has_one_copy(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    assert mockbroker.topic("orders").partition(0).replicas == [1]


def test_a_topic_has_the_configs_it_was_created_with(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"min.insync.replicas": 2, "unclean.leader.election.enable": True})
    assert topic.config == {"min.insync.replicas": "2", "unclean.leader.election.enable": "true"}
    topic.alter_config(min_insync_replicas=1, unclean_leader_election_enable=None)
    assert topic.config == {"min.insync.replicas": "1"}


def test_a_record_is_found_as_it_was_appended(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    offset = topic.append("k", b"v", headers=[("h", b"1"), ("none", None)], timestamp=1_234)
    assert offset == 0
    assert topic.records() == [
        Record(
            key=b"k",
            value=b"v",
            headers=(("h", b"1"), ("none", None)),
            timestamp=1_234,
            offset=0,
            partition=0,
            kind="data",
            producer_id=-1,
        )
    ]


def test_text_is_utf8_and_none_stays_none(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append("ключ", "значение")
    topic.append(None, None)
    assert topic.keys() == ["ключ".encode(), None]
    assert topic.values() == ["значение".encode(), None]


def test_a_record_without_a_timestamp_bears_the_brokers_time(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    mockbroker.topic("orders").append(None, "v")
    (record,) = mockbroker.topic("orders").records()
    assert record.timestamp == round(mockbroker.clock.now * 1_000)


def test_records_are_told_by_partition_and_offset(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=2)
    for partition, value in ((1, "c"), (0, "a"), (0, "b")):
        topic.append(None, value, partition=partition)
    assert topic.values() == [b"a", b"b", b"c"]
    assert topic.values(partition=1) == [b"c"]
    assert [topic.end_offset(0), topic.end_offset(1)] == [2, 1]


def test_unreplicated_records_are_seen_by_nobody_but_the_test(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append(None, "replicated")
    topic.partition(0).freeze_followers()
    topic.append(None, "not yet")
    assert topic.values() == topic.values(isolation="uncommitted") == [b"replicated"]
    assert topic.values(isolation="all") == [b"replicated", b"not yet"]


def test_a_raw_batch_is_stored_as_it_is_but_for_its_place(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=2)
    topic.append(None, "before", partition=1)
    batch = bytearray(build_batch([(None, b"poison", [], 0)], now_ms=0).data)
    batch[17] ^= 0xFF  # in the CRC
    assert topic.append_raw(bytes(batch), partition=1) == 1
    leader = mockbroker.leader_of("orders", 1).id
    (_, stored) = mockbroker.world.nodes[leader].replicas["orders", 1].log.batches
    assert bytes(stored.data)[16:] == bytes(batch)[16:]


def test_records_may_be_deleted_from_the_beginning(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    for value in "abc":
        topic.append(None, value)
    topic.delete_records(0, before=2)
    assert topic.values() == [b"c"]
    assert topic.end_offset() == 3


def test_a_deleted_topic_is_gone_and_a_recreated_one_is_another(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=2, config={"min.insync.replicas": 2})
    topic.append(None, "old", partition=0)
    before = mockbroker.world.controller.image.topics["orders"].id
    topic.recreate()
    assert topic.values() == []
    assert topic.config == {"min.insync.replicas": "2"}
    assert len(topic.partitions) == 2
    assert mockbroker.world.controller.image.topics["orders"].id != before
    topic.delete()
    assert not topic.exists


def test_partitions_may_be_added(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append(None, "kept")
    topic.add_partitions(3)
    assert [place.partition for place in topic.partitions] == [0, 1, 2]
    assert topic.values() == [b"kept"]


def test_a_wait_for_records_gives_them_at_once_where_they_are(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append(None, "v")
    assert [record.value for record in topic.wait_records(1)] == [b"v"]
    assert [record.value for record in topic.wait_records(1, isolation="all")] == [b"v"]


def test_a_wait_for_records_that_do_not_come_says_what_there_is(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    with pytest.raises(
        WaitTimeout, match=r"^waited 0 s for 2 records in orders; instead: there is no such topic\n"
    ):
        topic.wait_records(2, timeout=0)
    topic.create()
    topic.append(None, "v")
    topic.partition(0).freeze_followers()
    topic.append(None, "v")
    said = "instead: it has 1, and 1 that readers may not see yet\n"
    with pytest.raises(WaitTimeout, match=said):
        topic.wait_records(2, timeout=0)


def test_handles_say_what_they_are(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    assert repr(topic) == "<Topic orders>"
    assert repr(topic.partition(0)) == "<Partition orders-0>"
    assert str(TopicPartition("orders", 3)) == "orders-3"


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (
            lambda c: c.topic("no").append("k", "v"),
            "there is no topic 'no': there are ['orders']; create() it first",
        ),
        (lambda c: c.topic("no").delete(), "there is no topic 'no': there are ['orders']; create() it first"),
        (
            lambda c: c.topic("no").partitions,
            "there is no topic 'no': there are ['orders']; create() it first",
        ),
        (
            lambda c: c.topic("orders").append("k", "v", partition=7),
            "topic 'orders' has no partition 7: it has 1, from 0 up",
        ),
        (lambda c: c.topic("orders").partition(1), "topic 'orders' has no partition 1: it has 1, from 0 up"),
        (
            lambda c: c.topic("orders").partition(-1),
            "topic 'orders' has no partition -1: it has 1, from 0 up",
        ),
        (lambda c: c.topic("orders").create(), "Topic 'orders' already exists. (TOPIC_ALREADY_EXISTS)"),
        (lambda c: c.topic("new").create(partitions=0), "topic 'new' cannot be created: "),
        (lambda c: c.topic("new").create(replication=4), "topic 'new' cannot be created: "),
        (lambda c: c.topic("new").create(config={"no.such": 1}), "topic 'new' cannot be created: "),
        (lambda c: c.topic("a/b").create(), "topic 'a/b' cannot be created: "),
        (lambda c: c.topic("orders").add_partitions(1), "topic 'orders': "),
        (lambda c: c.topic("orders").alter_config(no_such=1), "topic 'orders': "),
        (
            lambda c: c.topic("orders").records(isolation="read_committed"),
            "isolation='read_committed': expected one of 'committed', 'uncommitted', 'all'",
        ),
        (
            lambda c: c.topic("orders").append_raw(b"short"),
            "append_raw: 5 bytes are no batch, whose header alone takes 61",
        ),
        (
            lambda c: c.topic("orders").delete_records(0, before=5),
            "orders-0 cannot begin at 5: it has committed records from 0 to 0",
        ),
    ],
)
def test_a_mistake_is_told_in_a_sentence(mockbroker: Cluster, mistake: object, said: str) -> None:
    mockbroker.topic("orders").create()
    assert callable(mistake)
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(mockbroker)


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("not-json", lambda value: value.startswith(b"{")),
        ("not-utf8", lambda value: value.decode(errors="replace").encode() != value),
        ("empty", lambda value: value == b""),
        ("tombstone", lambda value: value is None),
        ("unknown-schema-id", lambda value: value[0] == 0 and int.from_bytes(value[1:5]) == 2**31 - 1),
        ("1MB", lambda value: len(value) == 1_000_000),
    ],
)
def test_poison_is_a_sound_record_with_a_value_that_is_none(
    mockbroker: Cluster, kind: str, fits: Callable[[bytes | None], bool]
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=2)
    assert topic.append_poison(kind) == 0
    assert topic.append_poison(kind, key="k", partition=1) == 0
    first, second = topic.records()
    assert (first.key, second.key) == (b"poison", b"k")
    assert fits(first.value)
    assert first.value == second.value


def test_poison_that_is_not_on_the_shelf_is_refused(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    with pytest.raises(UsageError, match=r"append_poison\('arsenic'\): there are 'not-json', 'not-utf8', "):
        mockbroker.topic("orders").append_poison("arsenic")

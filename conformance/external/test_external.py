"""A test file of a user, run on mockbroker and on a real Kafka, and what is skipped there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# What users write: an app with a real client, judged through the handles.
FILE = """
    import confluent_kafka
    import pytest
    from confluent_kafka import OFFSET_BEGINNING

    PATIENCE = 30

    def produce(cluster, topic, values, **settings):
        producer = confluent_kafka.Producer(cluster.config.confluent(**settings))
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(PATIENCE) == 0

    def test_what_a_producer_sends_is_in_the_log(mockbroker):
        orders = mockbroker.topic("orders")
        orders.create(partitions=3, config={"cleanup.policy": "delete"})
        produce(mockbroker, "orders", [b"1", b"2"])
        assert sorted(record.value for record in orders.wait_records(2)) == [b"1", b"2"]
        assert sum(orders.end_offset(n) for n in range(3)) == 2

    def test_what_the_test_appends_is_consumed_and_committed(mockbroker):
        mockbroker.topic("orders").create()
        assert [mockbroker.topic("orders").append("k", value) for value in (b"1", b"2")] == [0, 1]
        consumer = confluent_kafka.Consumer(
            mockbroker.config.confluent(group="billing", auto_offset_reset="earliest", client_id="app-a")
        )
        consumer.subscribe(["orders"])
        try:
            got = []
            while len(got) < 2:
                got += [m.value() for m in consumer.consume(2, timeout=1) if m.error() is None]
            consumer.commit(asynchronous=False)
            group = mockbroker.group("billing")
            (member,) = group.wait_stable(members=1).members
            assert (member.client_id, member.subscription) == ("app-a", ("orders",))
            assert group.assignment["app-a"] == mockbroker.topic("orders").partitions
            mockbroker.assert_committed("billing", "orders", total=2)
            assert group.lag == {("orders", 0): 0}
        finally:
            consumer.close()
        assert group.state == "Empty"

    @pytest.mark.mockbroker(topics={"ledger": 1})
    def test_an_aborted_transaction_is_not_for_committed_readers(mockbroker):
        producer = confluent_kafka.Producer(mockbroker.config.confluent() | {"transactional.id": "payer-1"})
        producer.init_transactions(PATIENCE)
        for value, end in ((b"kept", producer.commit_transaction), (b"lost", producer.abort_transaction)):
            producer.begin_transaction()
            producer.produce("ledger", value)
            producer.flush(PATIENCE)
            end(PATIENCE)
        ledger = mockbroker.topic("ledger")
        assert ledger.values() == [b"kept"]
        assert [record.kind for record in ledger.records(isolation="all")] == ["data", "commit", "data", "abort"]

    def test_a_topic_changes_its_shape(mockbroker):
        orders = mockbroker.topic("orders")
        assert not orders.exists  # what the tests before have made is gone
        orders.create()
        orders.append_poison("not-json")
        orders.append(None, b"x")
        orders.delete_records(0, before=1)
        assert [record.offset for record in orders.records()] == [1]
        orders.add_partitions(4)
        assert len(orders.partitions) == 4
        orders.delete()
        assert not orders.exists

    def test_faults_are_for_mockbroker(mockbroker):
        mockbroker.topic("orders").create()
        with mockbroker.faults.after("Produce", topic="orders", nth=1).disconnect():
            produce(mockbroker, "orders", [b"x"])

    def test_time_is_for_mockbroker(mockbroker):
        mockbroker.clock.advance("45s")
"""


def run(folder: Path, *arguments: str) -> str:
    """Run the file in a process of its own, as a user does, and give what it prints."""
    (folder / "test_app.py").write_text(textwrap.dedent(FILE))
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_a_test_file_runs_on_mockbroker(tmp_path: Path) -> None:
    told = run(tmp_path)
    assert "= 6 passed in " in told, told


def test_the_same_file_runs_on_a_real_kafka_and_says_what_it_leaves_out(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not (request.config.getoption("--against-kafka") or request.config.getoption("--kafka-bootstrap")):
        pytest.skip("starts a real Kafka: say which with --against-kafka=VERSION")
    bootstrap = request.getfixturevalue("kafka_target").bootstrap
    told = run(tmp_path, f"--mockbroker-external={bootstrap}")
    assert "= 4 passed, 2 skipped in " in told, told
    for name in ("faults", "clock"):
        assert (
            f"not on the real Kafka at {bootstrap}: cluster.{name} is something that only mockbroker" in told
        )

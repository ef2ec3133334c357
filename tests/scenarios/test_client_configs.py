"""The settings that `cluster.config` gives, each tried with the client it is for: made, produced, read, committed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiokafka
import aiokafka.admin
import confluent_kafka
import confluent_kafka.admin
import kafka
import pytest

from mockbroker import Cluster
from mockbroker.handles.client_configs import HEARTBEAT_MS, SESSION_MS


@pytest.fixture
def orders(mockbroker: Cluster) -> Cluster:
    mockbroker.topic("orders").create(partitions=2)
    return mockbroker


def joined_with(cluster: Cluster) -> tuple[int, str]:
    """The session timeout and the name that the newest JoinGroup bore."""
    joined = cluster.history.events("JoinGroup")[-1]
    return joined.request.session_timeout_ms, joined.client_id


def test_confluent_kafka_produces_reads_and_commits(
    orders: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    producer = confluent_kafka.Producer(orders.config.confluent())
    producer.produce("orders", b"paid", partition=1)
    assert producer.flush(10) == 0
    consumer = confluent_kafka.Consumer(
        orders.config.confluent(group="billing", auto_offset_reset="earliest", client_id="app")
    )
    consumer.subscribe(["orders"])
    message = consumer.poll(10)
    assert message is not None
    assert message.value() == b"paid"
    orders.group("billing").wait_committed("orders", {1: 1})  # by itself, with a short interval
    assert joined_with(orders) == (SESSION_MS, "app")
    consumer.close()
    admin = confluent_kafka.admin.AdminClient(orders.config.confluent())
    assert "orders" in admin.list_topics(timeout=10).topics
    del producer, admin
    # It complains on standard error about settings that are not for it, or that it does not know.
    assert "CONFWARN" not in capfd.readouterr().err


def test_confluent_kafka_refuses_no_setting_of_ours_and_would_refuse_a_wrong_one(orders: Cluster) -> None:
    with pytest.raises(confluent_kafka.KafkaException, match=r"No such configuration property: .*no\.such"):
        confluent_kafka.Producer(orders.config.confluent(no_such_thing=1))


def test_kafka_python_produces_reads_and_commits(orders: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    producer = kafka.KafkaProducer(**orders.config.kafka_python())
    producer.send("orders", b"paid", partition=1).get(timeout=10)
    producer.close()
    consumer = kafka.KafkaConsumer(
        "orders",
        **orders.config.kafka_python(group="billing", auto_offset_reset="earliest", client_id="app"),
    )
    assert next(consumer).value == b"paid"
    consumer.poll(timeout_ms=300)  # its own thread commits nothing: it does so when it is called
    orders.group("billing").wait_committed("orders", {1: 1})
    assert joined_with(orders) == (SESSION_MS, "app")
    consumer.close()
    admin = kafka.KafkaAdminClient(**orders.config.kafka_python())
    assert "orders" in admin.list_topics()
    admin.close()


def test_kafka_python_would_refuse_a_wrong_setting(orders: Cluster) -> None:
    with pytest.raises(Exception, match="no_such_thing"):
        kafka.KafkaProducer(**orders.config.kafka_python(no_such_thing=1))


def test_aiokafka_produces_reads_and_commits(orders: Cluster) -> None:
    async def story() -> None:
        async with aiokafka.AIOKafkaProducer(**orders.config.aiokafka()) as producer:
            await producer.send_and_wait("orders", b"paid", partition=1)
        settings: dict[str, Any] = orders.config.aiokafka(
            group="billing", auto_offset_reset="earliest", client_id="app"
        )
        async with aiokafka.AIOKafkaConsumer("orders", **settings) as consumer:
            assert (await consumer.getone()).value == b"paid"
            await asyncio.to_thread(orders.group("billing").wait_committed, "orders", {1: 1})
        admin = aiokafka.admin.AIOKafkaAdminClient(**orders.config.aiokafka())
        await admin.start()
        assert "orders" in await admin.list_topics()
        await admin.close()

    asyncio.run(story())
    assert joined_with(orders) == (SESSION_MS, "app")


def test_java_properties_are_a_dictionary_and_a_file(orders: Cluster) -> None:
    producer = orders.config.java_properties()
    assert producer["bootstrap.servers"] == orders.bootstrap
    assert not {"group.id", "session.timeout.ms"} & producer.keys()
    consumer = orders.config.java_properties("billing", enable_auto_commit=False, client_rack=" a\\b\n")
    assert consumer["heartbeat.interval.ms"] == str(HEARTBEAT_MS)
    lines = str(consumer).splitlines()
    assert "group.id=billing" in lines
    assert "enable.auto.commit=false" in lines
    assert "client.rack=\\ a\\\\b\\n" in lines
    assert len(lines) == len(consumer)


def test_the_environment_names_the_brokers(orders: Cluster) -> None:
    env = orders.config.env()
    assert set(env.values()) == {orders.bootstrap}
    assert "KAFKA_BOOTSTRAP_SERVERS" in env


def test_each_dictionary_is_ones_own(orders: Cluster) -> None:
    orders.config.confluent()["bootstrap.servers"] = "elsewhere"
    assert orders.config.confluent()["bootstrap.servers"] == orders.bootstrap

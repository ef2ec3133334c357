"""What is told of real clients in trouble: each library gets there in its own way, and the sentence is the same."""

from __future__ import annotations

import ssl
import urllib.request
from contextlib import suppress

import confluent_kafka
import pytest

from mockbroker import Cluster, WaitTimeout
from mockbroker.failure_report import evidence_of, report_of
from tests.scenarios.clients import LIBRARIES, Confluent, Library, Membership
from tests.scenarios.workers import Worker
from tests.server.wire import eventually


def told(cluster: Cluster) -> str:
    """The report as one line, however it was broken."""
    return " ".join(report_of(evidence_of(cluster)).split())


def test_a_record_that_came_before_latest_was_known(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create()
    topic.append("o-1", "too early")
    with Worker(library, Membership(mockbroker.bootstrap, "orders", "billing", "app-a", reset="latest")):
        group.wait_positioned()
        with pytest.raises(WaitTimeout) as report:
            group.wait_committed("orders", {0: 1}, timeout=0)
    assert "* orders-0@0 was appended " in str(report.value)
    assert "BEFORE group billing resolved auto.offset.reset=latest to 1." in str(report.value)


def test_a_consumer_at_earliest_misses_nothing(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create()
    mockbroker.topic("orders").append("o-1", "in time")
    with Worker(library, Membership(mockbroker.bootstrap, "orders", "billing", "app-a")):
        mockbroker.group("billing").wait_committed("orders", {0: 1})
    assert "diagnosis" not in told(mockbroker)


@pytest.mark.mockbroker(config={"auto.create.topics.enable": "false"}, topics=["orders"])
@pytest.mark.parametrize("name", ["kafka-python", "confluent-kafka"])  # aiokafka does not even begin
def test_a_topic_that_is_not_there(mockbroker: Cluster, name: str) -> None:
    with Worker(LIBRARIES[name], Membership(mockbroker.bootstrap, "order", "billing", "app-a")):
        mockbroker.history.wait_for("Metadata", client_id="app-a", error="UNKNOWN_TOPIC_OR_PARTITION")
        report = told(mockbroker)
    assert "* app-a asked for topic 'order'" in report
    assert "there is none, and auto.create.topics.enable=false does not let it be created." in report
    assert "Did you mean orders?" in report


def test_a_client_that_speaks_tls(mockbroker: Cluster) -> None:
    client = confluent_kafka.Producer(
        {**Confluent.common(mockbroker.bootstrap), "security.protocol": "SSL", "client.id": "secure"}
    )
    with suppress(confluent_kafka.KafkaException):
        client.list_topics(timeout=0.2)
    eventually(lambda: "sent a TLS handshake to broker" in told(mockbroker))
    assert "The listener is PLAINTEXT: set security.protocol=PLAINTEXT" in told(mockbroker)


def test_a_browser_or_a_health_check(mockbroker: Cluster) -> None:
    with suppress(OSError, ssl.SSLError):
        urllib.request.urlopen(f"http://{mockbroker.bootstrap.split(',')[0]}/", timeout=5)
    assert "sent HTTP to broker 1. This is a Kafka port" in told(mockbroker)

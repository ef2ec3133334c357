"""Cases 17-28: topics, their creation on the way, and brokers that come and go."""

from __future__ import annotations

import uuid

from conformance.cases.brokers import THREE, TIGHT
from conformance.cases.stage import Stage, case


@case("17", "An empty list means no topic from version 1 on, null all; in version 0 an empty list means all")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (1, 5, 9, 12, 13):
        it.ask("Metadata", version, topics=[])
    for version, topics in ((0, []), (1, None), (12, None)):
        found = it.quietly("Metadata", version, topics=topics)["topics"]
        it.tell(f"v{version} {topics} lists ours", [t for t in found if t["name"] == topic])


@case("17a", "Every version of Metadata describes a topic in its own form")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for version in range(14):
        it.ask("Metadata", version, topics=_named(version, topic))


@case("17b", "A topic that is named twice is described once")
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("Metadata", 9, topics=[{"name": topic}, {"name": topic}])


@case("17c", "Without an authorizer everything is allowed, where one asks for it")
def _(it: Stage) -> None:
    it.ask(
        "Metadata",
        8,
        topics=[{"name": it.topic()}],
        include_cluster_authorized_operations=True,
        include_topic_authorized_operations=True,
    )


@case(
    "18", "A named topic is created where that is allowed; the answer that asks for it does not have it yet"
)
def _(it: Stage) -> None:
    for version in (0, 3, 4, 12):
        topic = it.name(f"new-{version}")
        it.ask("Metadata", version, topics=_named(version, topic))
        it.until(lambda topic=topic: it.is_led(topic, 1), "it is created")  # type: ignore[misc]  # bound now
        it.ask("Metadata", version, topics=_named(version, topic))


@case("19", "Without the client's leave nothing is created")
def _(it: Stage) -> None:
    topic = it.name("new")
    for version in (4, 12):
        it.ask("Metadata", version, topics=_named(version, topic), allow_auto_topic_creation=False)
    it.brokers.let_pass(500)
    it.ask("Metadata", 12, topics=_named(12, topic), allow_auto_topic_creation=False)


@case("19a", "Without the broker's leave nothing is created", on=TIGHT)
def _(it: Stage) -> None:
    topic = it.name("new")
    for version in (0, 4, 12):
        it.ask("Metadata", version, topics=_named(version, topic))
    it.brokers.let_pass(500)
    it.ask("Metadata", 12, topics=_named(12, topic))


@case("20", "A name that no topic may have is an invalid topic, and is not created")
def _(it: Stage) -> None:
    for name in ("a b", "", ".", "..", "x" * 250, "ü"):
        it.ask("Metadata", 9, topics=[{"name": name}])
        it.ask("Metadata", 4, topics=[{"name": name}], allow_auto_topic_creation=False)


@case("20a", "A name that collides with another one is unknown, and stays so")
def _(it: Stage) -> None:
    topic = it.topic("or.ders")
    other = topic.replace(".", "_")
    it.call(other, "or_ders")
    it.ask("Metadata", 9, topics=[{"name": other}])
    it.brokers.let_pass(500)
    it.ask("Metadata", 9, topics=[{"name": other}])


@case("21", "A partition without a leader says so, with the next epoch and an empty ISR", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3]}, min_insync_replicas=1)
    it.brokers.crash(3)
    it.until(lambda: it.metadata(topic)[0]["leader_id"] < 0, "3 is fenced")
    for version in (0, 1, 4, 7, 12):
        it.ask("Metadata", version, topics=_named(version, topic))
    _back(it, topic, 3)


@case("22", "Asked by id, a topic has its name, and an unknown id has none")
def _(it: Stage) -> None:
    topic = it.topic()
    id, nobody = it.id_of(topic), uuid.UUID(int=77)
    for version in (12, 13):
        it.ask("Metadata", version, topics=[{"topic_id": id, "name": None}])
        it.ask("Metadata", version, topics=[{"topic_id": nobody, "name": None}])
        it.ask("Metadata", version, topics=[{"topic_id": id, "name": "another"}])
        it.ask("Metadata", version, topics=[{"topic_id": None, "name": None}])
    for version in (10, 11):
        it.ask("Metadata", version, topics=[{"topic_id": id, "name": topic}])
        it.ask("Metadata", version, topics=[{"topic_id": id, "name": None}])


@case("22a", "A topic that cannot be asked for so spoils the whole request")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (10, 12, 13):
        known, wrong = {"topic_id": None, "name": topic}, {"topic_id": None, "name": None}
        it.ask("Metadata", version, topics=[known, wrong])


@case("23", "A topic that is made again has another id and begins anew")
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("Metadata", 12, topics=_named(12, topic))
    it.quietly("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": None}])
    it.until(lambda: not it.is_known(topic), "it is gone")
    it.ask("Metadata", 12, topics=_named(12, topic), allow_auto_topic_creation=False)
    it.quietly(
        "CreateTopics",
        7,
        timeout=10_000,
        topics=[{"name": topic, "num_partitions": 1, "replication_factor": 1}],
    )
    it.until(lambda: it.is_led(topic, 1), "it is back")
    it.ask("Metadata", 12, topics=_named(12, topic))


@case("24", "A dead broker is not listed, and its replicas are offline", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 3, 2]})
    it.brokers.crash(3)
    it.until(lambda: 3 in it.metadata(topic)[0]["offline_replicas"], "3 is fenced")
    for version in (0, 1, 4, 5, 12):
        it.ask("Metadata", version, topics=_named(version, topic))
    _back(it, topic, 3)
    it.ask("Metadata", 12, topics=_named(12, topic))


@case("28", "The controller is a broker that is listed")
def _(it: Stage) -> None:
    for version in (1, 12):
        answer = it.quietly("Metadata", version, topics=[])
        it.tell(f"v{version}", answer["controller_id"] in [b["node_id"] for b in answer["brokers"]])


def _named(version: int, topic: str) -> list[dict[str, object]]:
    return [{"name": topic} | ({"topic_id": None} if version >= 10 else {})]


def _back(it: Stage, topic: str, node: int) -> None:
    """Start a node again, for the cases that come behind this one."""
    it.brokers.restart(node)
    it.until(lambda: node in it.metadata(topic)[0]["isr_nodes"], f"{node} is back")

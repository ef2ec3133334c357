"""Cases 89-106: what three brokers keep, what they lose, and what clients are told meanwhile.

Topics have their replicas placed by hand, so that a case knows who leads.  Every case leaves all brokers
running and in sync, for the next one.
"""

from __future__ import annotations

import time

from conformance.cases.batches import batch
from conformance.cases.brokers import SLOW, THREE
from conformance.cases.produce import at, end_of, to
from conformance.cases.stage import Stage, case

_ONE = batch(b"paid")


def _fenced(it: Stage, topic: str, node: int, seen_by: int) -> None:
    """Wait until a dead broker is known to be dead, which may be later than that it is out of the ISR."""

    def fenced() -> bool:
        partition = it.metadata(topic, seen_by)[0]
        return node in partition["offline_replicas"] and node not in partition["isr_nodes"]

    it.until(fenced, f"{node} is fenced")


def _led_by(it: Stage, topic: str, leader: int, seen_by: int) -> None:
    it.until(lambda: it.metadata(topic, seen_by)[0]["leader_id"] == leader, f"{leader} leads")
    it.until(lambda: it.serves(topic, leader), f"{leader} serves")


def _whole(it: Stage, topic: str, replicas: list[int]) -> None:
    """Wait until the ISR is whole, and everybody knows it."""
    for node in (1, 2, 3):
        it.until(
            lambda node=node: sorted(it.metadata(topic, node)[0]["isr_nodes"]) == sorted(replicas),  # type: ignore[misc]  # bound now
            "the ISR is whole",
        )


def _described(it: Stage, topic: str, node: int = 1) -> None:
    it.ask(
        "DescribeTopicPartitions",
        0,
        node=node,
        topics=[{"name": topic}],
        response_partition_limit=100,
        cursor=None,
    )


def _epochs(it: Stage, topic: str, node: int, *epochs: int) -> None:
    for epoch in epochs:
        asked = {"partition": 0, "leader_epoch": epoch, "current_leader_epoch": -1}
        topics = [{"topic": topic, "partitions": [asked]}]
        it.ask("OffsetForLeaderEpoch", 4, node=node, replica_id=-1, topics=topics)


@case("70", "What is not replicated yet is not seen", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 3]}, min_insync_replicas=1)
    it.quietly("Produce", 9, **to(topic, batch(b"seen", timestamp=it.zero_ms)))
    it.until(lambda: it.high_watermark(topic, 1) == 1, "the first is committed")
    it.brokers.pause(3)
    it.ask("Produce", 9, **to(topic, batch(b"not yet", timestamp=it.zero_ms), acks=1))
    it.ask("Fetch", 12, **at(topic, 1))
    end_of(it, topic)
    it.brokers.resume(3)
    it.until(lambda: it.high_watermark(topic, 1) == 2, "the second is committed")
    it.ask("Fetch", 12, **at(topic, 1))
    _whole(it, topic, [1, 3])


@case(
    "89", "acks=1 is lost with a leader that nobody has copied from; the old leader forgets it too", on=THREE
)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [2, 1]}, min_insync_replicas=1)
    it.quietly("Produce", 9, node=2, **to(topic, batch(b"kept", timestamp=it.zero_ms)))
    it.brokers.pause(1)
    # The fetch that 1 has sent before is answered with the first of these, which waits in its socket.
    for value in (b"on its way", b"lost", b"lost too"):
        it.ask("Produce", 9, node=2, **to(topic, batch(value, timestamp=it.zero_ms), acks=1))
        it.brokers.let_pass(100)  # a produce may be answered before the fetch that waits is
    it.brokers.crash(2)
    it.brokers.resume(1)
    _led_by(it, topic, 1, seen_by=1)
    _epochs(it, topic, 1, 0, 1)
    it.ask("Fetch", 12, node=1, **at(topic, 2))
    it.ask("Fetch", 12, node=1, **at(topic, 3))
    it.ask("Produce", 9, node=1, **to(topic, batch(b"instead", timestamp=it.zero_ms), acks=1))
    it.brokers.restart(2)
    _whole(it, topic, [1, 2])
    it.until(lambda: it.high_watermark(topic, 2) == 3, "2 has everything")
    it.ask("Fetch", 12, node=2, **at(topic, 0))


@case("91", "Too few in sync: acks=all is refused and nothing is appended", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 3]}, min_insync_replicas=2)
    it.brokers.crash(3)
    _fenced(it, topic, 3, seen_by=1)
    for version in (9, 12):
        it.ask("Produce", version, **to(topic, _ONE))
    it.ask("Produce", 9, **to(topic, batch(b"paid", producer=(7777, 0, 0))))
    end_of(it, topic)
    it.brokers.restart(3)
    _whole(it, topic, [1, 3])
    it.ask("Produce", 9, **to(topic, _ONE))


@case("92", "Too few in sync after the append: the request runs out of time, and the record stays", on=THREE)
def _(it: Stage) -> None:
    topic, line = it.topic(on={0: [1, 3]}, min_insync_replicas=2), it.line()
    it.brokers.pause(3)
    line.send("Produce", 11, **to(topic, _ONE, timeout=6_000))
    _fenced(it, topic, 3, seen_by=1)
    line.hear()
    end_of(it, topic)
    it.brokers.resume(3)
    _whole(it, topic, [1, 3])
    it.until(lambda: it.high_watermark(topic, 1) == 1, "the record is committed")
    end_of(it, topic)


@case("93", "With too few in sync acks=1 is taken, and nobody sees it until they are enough", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 3]}, min_insync_replicas=2)
    it.brokers.crash(3)
    _fenced(it, topic, 3, seen_by=1)
    it.ask("Produce", 9, **to(topic, batch(b"paid", timestamp=it.zero_ms), acks=1))
    it.ask("Fetch", 12, **at(topic))
    end_of(it, topic)
    it.brokers.restart(3)
    _whole(it, topic, [1, 3])
    it.until(lambda: it.high_watermark(topic, 1) == 1, "the record is committed")
    it.ask("Fetch", 12, **at(topic))


@case("94", "One replica is enough where there is only one, whatever the minimum", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1]}, min_insync_replicas=2)
    it.ask("Produce", 9, **to(topic, _ONE))


@case(
    "95", "acks=all waits for a follower that stands still, until it is out of the ISR", on=THREE, also=(96,)
)
def _(it: Stage) -> None:
    topic, line = it.topic(on={0: [1, 2, 3]}, min_insync_replicas=2), it.line()
    it.brokers.pause(3)
    line.send("Produce", 11, **to(topic, _ONE, timeout=40_000))
    line.expect_nothing("3 is waited for")
    _fenced(it, topic, 3, seen_by=1)
    line.hear()
    # Its leader may have put it out of the ISR before the controller gives it up.
    it.until(lambda: it.metadata(topic)[0]["offline_replicas"] == [3], "3 is given up")
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])
    it.brokers.resume(3)
    _whole(it, topic, [1, 2, 3])
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])


@case("97", "The next in sync in the order of the replicas leads, in the next epoch", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3, 2, 1]})
    it.brokers.crash(3)
    _led_by(it, topic, 2, seen_by=1)
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])
    it.brokers.restart(3)
    _whole(it, topic, [1, 2, 3])
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])


@case("98", "Without a leader nothing is written or read; the one that returns is elected", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3]}, min_insync_replicas=1)
    id = it.id_of(topic)
    it.quietly("Produce", 9, node=3, **to(topic, batch(b"kept", timestamp=it.zero_ms)))
    it.brokers.crash(3)
    it.until(lambda: it.metadata(topic)[0]["leader_id"] < 0, "nobody leads")
    it.ask("Produce", 11, **to(topic, _ONE))
    it.ask("Fetch", 16, **at(id))
    end_of(it, topic)
    it.brokers.restart(3)
    _led_by(it, topic, 3, seen_by=1)
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])
    it.ask("Fetch", 12, node=3, **at(topic))


@case("99", "An unclean leader takes what it has for the truth", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [2, 3]}, min_insync_replicas=1, unclean_leader_election_enable="true")
    it.quietly("Produce", 9, node=2, **to(topic, batch(b"kept", timestamp=it.zero_ms)))
    it.brokers.pause(3)
    _fenced(it, topic, 3, seen_by=2)
    for _ in range(2):
        it.ask("Produce", 9, node=2, **to(topic, batch(b"lost", timestamp=it.zero_ms)))
    it.brokers.crash(2)  # two of three controllers are away until the next line, so nobody is elected yet
    it.brokers.resume(3)
    _led_by(it, topic, 3, seen_by=1)
    _described(it, topic)
    it.ask("Fetch", 12, node=3, **at(topic, 3))
    it.ask("Fetch", 12, node=3, **at(topic, 0))
    it.brokers.restart(2)
    _whole(it, topic, [2, 3])


@case("100", "An election of the preferred leader", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3, 2, 1]})

    def elect(kind: int, name: str = topic, index: int = 0) -> None:
        asked = [{"topic": name, "partitions": [index]}]
        it.ask("ElectLeaders", 2, node=1, election_type=kind, topic_partitions=asked, timeout=10_000)

    elect(0)
    elect(1)
    elect(0, index=9)
    elect(0, it.name("nobody"))
    it.brokers.crash(3)
    _led_by(it, topic, 2, seen_by=1)
    elect(0)
    it.brokers.restart(3)
    _whole(it, topic, [1, 2, 3])
    elect(0)
    _led_by(it, topic, 3, seen_by=1)
    it.ask("Metadata", 12, topics=[{"topic_id": None, "name": topic}])


@case("102", "acks=all that runs out of time has its offset, and the record stays", on=THREE)
def _(it: Stage) -> None:
    topic, line = it.topic(on={0: [1, 3]}, min_insync_replicas=1), it.line()
    it.quietly("Produce", 9, **to(topic, _ONE))
    it.brokers.pause(3)
    began = time.monotonic()
    line.ask("Produce", 11, **to(topic, _ONE, timeout=700))
    it.tell("it has waited", 0.7 <= time.monotonic() - began < 2.5)
    it.brokers.resume(3)
    _whole(it, topic, [1, 3])
    it.until(lambda: it.high_watermark(topic, 1) == 2, "the record is committed")
    end_of(it, topic)


@case("103", "acks=all that waits while the leadership moves is told at once who leads", on=SLOW)
def _(it: Stage) -> None:
    topic, line = it.topic(on={0: [3, 2, 1]}, min_insync_replicas=1), it.line(2)
    it.brokers.crash(3)
    _led_by(it, topic, 2, seen_by=2)
    it.brokers.restart(3)
    _whole(it, topic, [1, 2, 3])
    it.brokers.spare(1)
    it.brokers.pause(1)
    line.send("Produce", 11, **to(topic, _ONE, timeout=40_000))
    line.expect_nothing("1 is waited for")
    asked = [{"topic": topic, "partitions": [0]}]
    it.quietly("ElectLeaders", 2, node=2, election_type=0, topic_partitions=asked, timeout=10_000)
    line.hear()
    it.brokers.resume(1)
    _whole(it, topic, [1, 2, 3])


@case("104", "Each epoch ends where the next begins, and a new leader's is there before any record", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3, 1]}, min_insync_replicas=1)
    it.quietly("Produce", 9, node=3, **to(topic, batch(b"a")))
    it.brokers.crash(3)
    _led_by(it, topic, 1, seen_by=1)
    it.quietly("Produce", 9, node=1, **to(topic, batch(b"b", b"c")))
    it.brokers.restart(3)
    _whole(it, topic, [1, 3])
    _epochs(it, topic, 1, 0, 1, 2, 9)


@case("105", "Who leaves an ISR that is too small stays eligible", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 3]}, min_insync_replicas=2)
    small = it.topic("small", on={0: [1, 3]}, min_insync_replicas=1)
    it.brokers.crash(3)
    _fenced(it, topic, 3, seen_by=1)
    _fenced(it, small, 3, seen_by=1)
    _described(it, topic)
    _described(it, small)
    it.brokers.restart(3)
    _whole(it, topic, [1, 3])
    _described(it, topic)

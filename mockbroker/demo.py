"""`mockbroker demo`: a story with real clients on three brokers, and a verdict about every record.

A kafka-python producer sends numbered orders, a group of kafka-python consumers bills them.  A member joins,
the group's coordinator dies in the middle of that rebalance, a partition leader dies under load.  The exit
code is 0 only if no acknowledged order was lost and none was stored twice.
"""

from __future__ import annotations

import argparse
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mockbroker.cluster import Cluster
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.telling import Teller
from mockbroker.waiting import Condition, WaitTimeout

if TYPE_CHECKING:
    from mockbroker.core.groups.views import GroupView

TOPIC, GROUP, PARTITIONS = "orders", "billing", 6

# Seconds that a chapter lasts, so that a person can follow; fast is for machines.
PACE_S, PACE_FAST_S = 9.0, 0.7
ORDERS_PER_SECOND = 200

# Client timers are the one thing that a broker cannot move, so the demo's clients have short ones.
TIMERS = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 100, "retry_backoff_ms": 20}
PATIENCE = "30s"


@dataclass(slots=True)
class Tally:
    """What the clients know: the orders that were acknowledged, and how often each was delivered."""

    sent: int = 0
    acked: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    delivered: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Worker(threading.Thread):
    """A client in a thread of its own, until it is told to stop; what went wrong in it is kept."""

    def __init__(self, name: str, work: Callable[[Worker], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        """Work; an exception ends this client and, at the end, the demo's good verdict."""
        try:
            self._work(self)
        except Exception as failure:  # noqa: BLE001 - told in the verdict, not lost in a thread
            self.failure = failure

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.stopping.set()
        self.join(30)


class Story:
    """The demo from its first line to its verdict."""

    def __init__(self, cluster: Cluster, teller: Teller, pace_s: float) -> None:
        self._cluster = cluster
        self._tell = teller
        self._pace_s = pace_s
        self._tally = Tally()
        self._workers: list[Worker] = []
        self._group = cluster.group(GROUP)

    def run(self) -> bool:
        """Tell the story; True if the verdict is good."""
        self._opening()
        producer = self._start(Worker("producer", self._produce))
        self._two_consumers()
        self._a_third_joins_and_the_coordinator_dies()
        self._a_leader_dies()
        producer.stop()
        self._drain()
        for worker in self._workers:
            worker.stop()
        self._tell.done()
        return self._verdict()

    # -- chapters ---------------------------------------------------------------------------------

    def _opening(self) -> None:
        self._tell.chapter("A cluster of three brokers, in this process")
        self._tell.say(f"{self._cluster.bootstrap}, seed {self._cluster.seed}")
        self._cluster.topic(TOPIC).create(PARTITIONS, config={"min.insync.replicas": 2})
        self._tell.say(f"topic {TOPIC}: {PARTITIONS} partitions, three replicas each, two must be in sync")

    def _two_consumers(self) -> None:
        self._tell.chapter("A producer and two consumers, kafka-python all of them")
        self._start(self._consumer("c1"))
        self._start(self._consumer("c2"))
        self._group.wait_stable(2, timeout=PATIENCE)
        self._say_owners()
        self._linger()

    def _a_third_joins_and_the_coordinator_dies(self) -> None:
        self._tell.chapter("A third consumer joins, and the coordinator dies in the middle of the rebalance")
        coordinator = self._cluster.coordinator_of(GROUP)
        before = self._group.generation
        self._tell.say(f"broker {coordinator.id} coordinates {GROUP}; everybody joins again for c3")
        joined = self._crash_when_joined(coordinator.id)
        self._start(self._consumer("c3"))
        self._cluster.wait(joined, PATIENCE)
        self._tell.say(
            f"broker {coordinator.id} crashed after all had joined and before any had its share", "hand"
        )
        self._group.wait_stable(3, newer_than=before, timeout=PATIENCE)
        self._tell.say(f"broker {self._cluster.coordinator_of(GROUP).id} took over, from what the log says")
        self._say_owners()
        self._linger()
        coordinator.restart()
        self._tell.say(f"broker {coordinator.id} is back, and copies what it missed", "hand")
        self._linger()

    def _crash_when_joined(self, coordinator: int) -> Condition[bool]:
        """Crash the coordinator in the very step in which the last member joins."""
        world = self._cluster.world

        def group() -> GroupView | None:
            shard = coordinator_shard(world, GROUP)
            return None if shard is None else shard.view(GROUP)

        def look() -> bool | None:
            seen = group()
            if seen is None or seen.state != "CompletingRebalance" or len(seen.members) < 3:
                return None
            world.crash(coordinator)
            return True

        return Condition("all three members to have joined", look, lambda: f"{GROUP} is {group()}")

    def _a_leader_dies(self) -> None:
        self._tell.chapter("A partition leader dies under load")
        leader = self._cluster.leader_of(TOPIC, 0)
        led = [
            p.partition
            for p in self._cluster.topic(TOPIC).partitions
            if self._cluster.leader_of(*p) == leader
        ]
        leader.crash()
        self._tell.say(f"broker {leader.id} crashed; it led partitions {_listed(led)}", "hand")
        heirs = sorted({self._cluster.leader_of(TOPIC, index).id for index in led})
        self._tell.say(f"led now by broker {_listed(heirs)}, where every acknowledged record already was")
        self._linger()
        leader.restart()
        self._tell.say(f"broker {leader.id} is back, and cuts off what nobody had acknowledged", "hand")
        self._linger()

    def _drain(self) -> None:
        self._tell.chapter("The producer stops; the consumers finish")
        topic, group = self._cluster.topic(TOPIC), self._group
        ends = {p.partition: topic.end_offset(p.partition) for p in topic.partitions}
        group.wait_committed(TOPIC, {index: end for index, end in ends.items() if end}, timeout=PATIENCE)
        self._tell.say(f"every one of {sum(ends.values())} records is covered by a commit")

    # -- the verdict ------------------------------------------------------------------------------

    def _verdict(self) -> bool:
        tally = self._tally
        stored = Counter((value or b"").decode() for value in self._cluster.topic(TOPIC).values())
        lost = tally.acked - set(stored)
        undelivered = tally.acked - set(tally.delivered)
        twice = [order for order, count in stored.items() if count > 1]
        again = sum(count - 1 for count in tally.delivered.values())
        failures = [f"{w.name}: {w.failure!r}" for w in self._workers if w.failure is not None]
        self._tell.chapter("Verdict")
        self._row("acknowledged to the producer", len(tally.acked), wanted=None)
        self._row("stored", sum(stored.values()), wanted=None)
        self._row("delivered to the group", len(tally.delivered), wanted=None)
        self._row("acknowledged and lost", len(lost), wanted=0)
        self._row("acknowledged and never delivered", len(undelivered), wanted=0)
        self._row("stored twice", len(twice), wanted=0)
        self._row("sends that failed", len(tally.failed), wanted=0)
        self._row("delivered again after a lost commit", again, wanted=None)
        for failure in failures:
            self._tell.plain(f"  {self._tell.styled('bad', failure)}")
        good = bool(tally.acked) and not (lost or undelivered or twice or tally.failed or failures)
        self._tell.plain("")
        self._tell.plain(
            self._tell.styled("good", "  two brokers died, and nothing that was acknowledged was lost")
            if good
            else self._tell.styled("bad", "  this must not be: please report it, with the seed above")
        )
        return good

    def _row(self, what: str, count: int, *, wanted: int | None) -> None:
        style = "title" if wanted is None else ("good" if count == wanted else "bad")
        self._tell.plain(f"  {what:<38}{self._tell.styled(style, f'{count:>8}')}")

    # -- clients ----------------------------------------------------------------------------------

    def _start(self, worker: Worker) -> Worker:
        self._workers.append(worker)
        worker.start()
        return worker

    def _produce(self, worker: Worker) -> None:
        from kafka import KafkaProducer

        tally = self._tally
        producer = KafkaProducer(
            bootstrap_servers=self._cluster.bootstrap, client_id="shop", acks="all", linger_ms=5, **TIMERS
        )
        try:
            while not worker.stopping.wait(1 / ORDERS_PER_SECOND):
                order = f"order-{tally.sent}"
                tally.sent += 1
                sending = producer.send(TOPIC, order.encode(), key=order.encode())
                sending.add_callback(lambda _, order=order: tally.acked.add(order))
                sending.add_errback(lambda error, order=order: tally.failed.append(f"{order}: {error!r}"))
            producer.flush(timeout=30)
        finally:
            producer.close(timeout=5)

    def _consumer(self, name: str) -> Worker:
        return Worker(name, lambda worker: self._consume(worker, name))

    def _consume(self, worker: Worker, name: str) -> None:
        from kafka import KafkaConsumer

        consumer = KafkaConsumer(
            TOPIC,
            bootstrap_servers=self._cluster.bootstrap,
            client_id=name,
            group_id=GROUP,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=100,
            **TIMERS,
        )
        try:
            while not worker.stopping.is_set():
                self._bill(consumer)
        finally:
            consumer.close()

    def _bill(self, consumer: Any) -> None:
        """Take what there is and commit it; a commit that fails means that some of it will come again."""
        from kafka.errors import KafkaError

        batches = consumer.poll(timeout_ms=100)
        with self._tally.lock:
            for records in batches.values():
                for record in records:
                    self._tally.delivered[record.value.decode()] += 1
        if batches:
            try:
                consumer.commit()
            except KafkaError as refused:
                self._tell.say(
                    f"a commit failed ({type(refused).__name__}); its records will come again", "quiet"
                )

    # -- telling ----------------------------------------------------------------------------------

    def _linger(self) -> None:
        """Let things run, and show how they stand."""
        end = time.monotonic() + self._pace_s
        while time.monotonic() < end:
            tally = self._tally
            snapshot = self._group.snapshot()
            self._tell.status(
                f"sent {tally.sent}, acknowledged {len(tally.acked)}, delivered {len(tally.delivered)} - "
                f"{GROUP} {snapshot.state}, generation {snapshot.generation}"
            )
            time.sleep(0.1)

    def _say_owners(self) -> None:
        # A client that joins before it knows its topics gets nothing at first, and joins again a moment later.
        snapshot = self._group.wait_positioned(timeout=PATIENCE)
        shares = [
            f"{member.client_id} owns {_listed([p.partition for p in snapshot.assignment[member.id]])}"
            for member in sorted(snapshot.members, key=lambda m: m.client_id)
        ]
        self._tell.say(f"{GROUP} is stable in generation {snapshot.generation}: " + ", ".join(shares), "good")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "nothing"


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 only if its verdict is good."""
    parser = argparse.ArgumentParser(
        prog="mockbroker demo",
        description="A one-minute story: real clients on three brokers, two of which die. Ends with a verdict.",
    )
    parser.add_argument("--seed", type=int, help="make the brokers' choices the same again")
    parser.add_argument(
        "--fast", action="store_true", help="do not linger: a few seconds instead of a minute"
    )
    options = parser.parse_args(list(arguments))
    try:
        import kafka  # noqa: F401 - only to know that it is there
    except ImportError:
        parser.exit(2, "mockbroker demo needs kafka-python: pip install 'mockbroker[demo]'\n")
    # The clients' own accounts of lost connections are part of the plot and would drown it.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    teller = Teller()
    try:
        with Cluster(seed=options.seed) as cluster:
            good = Story(cluster, teller, PACE_FAST_S if options.fast else PACE_S).run()
    except WaitTimeout as late:
        teller.done()
        teller.plain(teller.styled("bad", f"the story got stuck: {late}"))
        return 1
    return 0 if good else 1

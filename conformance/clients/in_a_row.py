"""The same story many times in a row, because a race shows itself now and then: nothing is tried again.

    python -m conformance.clients.in_a_row --times 50                     the coordinators' deaths, on mockbroker
    python -m conformance.clients.in_a_row --times 3 --against-kafka 4.4.0     and on a real Kafka of three nodes
    python -m conformance.clients.in_a_row --client kafkajs --story stable --times 10

Prints for each client and story how many of them failed and the median seconds from the death until records
flow again; every failure with where it happened.  Fails if one did.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from conformance.against_kafka.launch import KafkaCluster
from conformance.clients.keeping import Keeper
from conformance.clients.roster import NAMES, Troupe
from conformance.clients.stories import Story
from conformance.clients.targets import SURVIVABLE, KafkaTarget, MockbrokerTarget, Target
from conformance.clients.telling import STORIES_TOLD, Untold, tell
from conformance.clients.verbs import Need

CLIENTS = ("kafka-python", "confluent", "aiokafka", "java-4.4.0", "franz-go", "kafkajs")
# Where to look for a target: mockbroker's is new each time, a real Kafka's is one for all.
Targets = Callable[[], AbstractContextManager[Target]]


def main() -> int:
    """Repeat what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m conformance.clients.in_a_row", description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--client", action="append", choices=NAMES, help=f"default: {', '.join(CLIENTS)}")
    parser.add_argument("--story", action="append", help="a part of the slug; default: coordinators' deaths")
    parser.add_argument("--against-kafka", metavar="VERSION", help="repeat it on a real Kafka, three nodes")
    parser.add_argument("--keep", action="store_true", help="write the result into conformance/results")
    options = parser.parse_args()
    stories = chosen(options.story)
    if not stories:
        parser.error(f"no story has {' or '.join(options.story)} in its slug")
    keeper = Keeper(options.against_kafka)
    failures = 0
    with _targets(options.against_kafka) as targets, contextlib.closing(Troupe()) as troupe:
        for name in options.client or CLIENTS:
            for story in stories:
                failures += _repeat(story, name, options.times, targets, troupe, keeper)
                if options.keep:
                    keeper.write()
    return 1 if failures else 0


def chosen(parts: Sequence[str] | None) -> list[Story]:
    """The stories with one of these in their slugs; without any, those in which a coordinator dies."""
    if parts is None:
        parts, dying = ("coordinator",), [story for story in STORIES_TOLD if Need.DEATHS in story.needs]
        return [story for story in dying if any(part in story.slug for part in parts)]
    return [story for story in STORIES_TOLD if any(part in story.slug for part in parts)]


def _repeat(story: Story, name: str, times: int, targets: Targets, troupe: Troupe, keeper: Keeper) -> int:
    seconds: list[float] = []
    failures = 0
    for turn in range(1, times + 1):
        try:
            with targets() as target:
                recovery = tell(story, name, target, troupe)
        except Untold as reason:
            print(f"{name}: {story.slug}: untold, {reason}", flush=True)
            return 0
        except Exception:  # noqa: BLE001  # each library has a family of its own; it is told, and counted
            failures += 1
            print(f"{name}: {story.slug}: number {turn} failed\n{traceback.format_exc()}", flush=True)
            continue
        if recovery is not None:
            seconds.append(recovery)
            keeper.recovered(name, story.slug, recovery)
    typical = f", median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s" if seconds else ""
    print(f"{name}: {story.slug}: {times} in a row, {failures} failed{typical}", flush=True)
    keeper.repeated(name, story.slug, times, failures)
    return failures


@contextlib.contextmanager
def _targets(release: str | None) -> Iterator[Targets]:
    if release is None:
        yield _mockbroker
        return
    with KafkaCluster(release, SURVIVABLE) as kafka:
        target = KafkaTarget(kafka.bootstrap, SURVIVABLE, kafka)
        yield lambda: contextlib.nullcontext(target)
        target.close()


@contextlib.contextmanager
def _mockbroker() -> Iterator[Target]:
    from mockbroker import Cluster  # a run against Kafka needs no mockbroker at all

    with Cluster(brokers=3) as cluster:
        yield MockbrokerTarget(cluster)


if __name__ == "__main__":
    sys.exit(main())

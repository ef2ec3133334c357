"""Plays one story with one client against one target, and keeps what the client was told for the verdict.

The members of a group are polled in turn from this one thread, which keeps a failure readable; a client
that wants more than turns has a thread in its adapter.  Every wait is a deadline over polls; nothing sleeps
to be safe.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from conformance.clients import steps
from conformance.clients.deaths import Deaths
from conformance.clients.foreign import Foreign
from conformance.clients.targets import Target
from conformance.clients.verbs import (
    DEADLINE_S,
    SESSION_TIMEOUT_MS,
    Client,
    Member,
    Partition,
    Reader,
    Record,
)

# Short turns: a member's own turn must never be so long that the others miss a rebalance.
POLL_S = 0.05

_serial = itertools.count(1)


@dataclass
class Settled:
    """A group at rest: who owned what, and how many changes each member had seen by then."""

    owned: dict[str, frozenset[Partition]]
    rebalances: dict[str, int]

    def partitions(self, member: str) -> set[int]:
        """The partition numbers of one member."""
        return {partition for _, partition in self.owned[member]}


@dataclass
class Scene:
    """What a story has set up and seen so far. The verdict reads it together with the broker's own truth."""

    client: Client
    target: Target
    # The same client once more, in a process that can be killed.
    make_mortal: Callable[[], Foreign]
    serial: str = field(default_factory=lambda: f"{time.time_ns():x}-{next(_serial)}")
    offsets: dict[str, list[int] | None] = field(default_factory=dict)
    seen: dict[str, list[Record]] = field(default_factory=dict)
    found: dict[str, int | None] = field(default_factory=dict)
    settled: dict[str, Settled] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    mortals: dict[str, Foreign] = field(default_factory=dict)

    @property
    def deaths(self) -> Deaths:
        """How brokers die. A story that kills them needs `Need.DEATHS`."""
        assert self.target.deaths is not None, "a story in which brokers die says so among its needs"
        return self.target.deaths

    def called(self, nickname: str) -> str:
        """The real name behind a nickname: no two stories share a topic or a group, whatever ran before."""
        return f"{nickname}-{self.serial}"

    def values(self, topic: str) -> list[bytes | None]:
        """The broker's truth: every committed value of the topic, by partition and offset."""
        return self.target.values(self.called(topic))

    def end_offset(self, topic: str, partition: int = 0) -> int:
        """The broker's truth: where the partition ends."""
        return self.target.end_offset(self.called(topic), partition)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The broker's truth: the group's committed offsets by partition."""
        return self.target.committed(self.called(group), self.called(topic))

    def poll(
        self, names: Iterable[str], done: Callable[[list[Record]], bool], waiting_for: str
    ) -> list[Record]:
        """Poll the members until it is done."""
        members = [self.members[name] for name in names]
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while not done(records):
            for member in members:
                records += member.poll(POLL_S)
            if time.monotonic() > deadline:
                owned = [sorted(member.assignment()) for member in members]
                raise AssertionError(
                    f"{waiting_for} not after {DEADLINE_S} s; owned {owned}, received {records}"
                )
        return records

    def until(self, true: Callable[[], bool], waiting_for: str) -> None:
        """Ask the broker or the client again until it is true."""
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline, f"{waiting_for} not after {DEADLINE_S} s"
            time.sleep(POLL_S)  # a pause between questions, not a guess at when it is true

    def close(self) -> None:
        """End of the story: whoever is still there leaves."""
        for member in self.members.values():
            member.leave()
        for reader in self.readers.values():
            reader.close()
        for mortal in self.mortals.values():
            mortal.process.kill()


@functools.singledispatch
def play(step: object, scene: Scene) -> None:  # noqa: ARG001  # what every step takes
    """Do one step of a story."""
    raise TypeError(f"{step!r} is no step")


@play.register
def _(step: steps.Make, scene: Scene) -> None:
    scene.target.make_topic(scene.called(step.topic), step.partitions)


@play.register
def _(step: steps.Remake, scene: Scene) -> None:
    scene.target.drop_topic(scene.called(step.topic))
    scene.target.make_topic(scene.called(step.topic), step.partitions)


@play.register
def _(step: steps.AwaitEnd, scene: Scene) -> None:
    reached = f"end offset {step.end_offset} of {step.topic}-{step.partition}"
    scene.until(lambda: scene.end_offset(step.topic, step.partition) >= step.end_offset, reached)


@play.register
def _(step: steps.Produce, scene: Scene) -> None:
    scene.offsets[step.into] = scene.client.produce(scene.called(step.topic), step.records, step.how)


@play.register
def _(step: steps.Transact, scene: Scene) -> None:
    name = scene.called(step.transactional_id)
    scene.client.transact(scene.called(step.topic), step.records, name, commit=step.commit)


@play.register
def _(step: steps.Open, scene: Scene) -> None:
    scene.readers[step.reader] = scene.client.open_reader(
        scene.called(step.topic), step.partitions, step.start, committed_only=step.committed_only
    )


@play.register
def _(step: steps.Take, scene: Scene) -> None:
    records = scene.readers[step.reader].take(step.count)
    assert len(records) == step.count, (
        f"{step.reader} got {len(records)} records instead of {step.count}: {records}"
    )
    scene.seen[step.into] = records


@play.register
def _(step: steps.Seek, scene: Scene) -> None:
    scene.readers[step.reader].seek(step.partition, step.offset)


@play.register
def _(step: steps.Pause, scene: Scene) -> None:
    scene.readers[step.reader].pause(step.partition)


@play.register
def _(step: steps.Resume, scene: Scene) -> None:
    scene.readers[step.reader].resume(step.partition)


@play.register
def _(step: steps.Lookup, scene: Scene) -> None:
    scene.found[step.into] = scene.client.offset_at(scene.called(step.topic), step.partition, step.moment)


@play.register
def _(step: steps.Join, scene: Scene) -> None:
    how = replace(step.how, group=scene.called(step.how.group), topic=scene.called(step.how.topic))
    client = scene.client
    if step.mortal:
        client = scene.mortals[step.member] = scene.make_mortal()
    scene.members[step.member] = client.join(how)


@play.register
def _(step: steps.Settle, scene: Scene) -> None:
    topic = scene.called(step.topic)
    everything = sorted((topic, partition) for partition in range(scene.target.partition_count(topic)))

    def settled(_: list[Record]) -> bool:
        shares = [scene.members[name].assignment() for name in step.members]
        return all(shares) and sorted(itertools.chain(*shares)) == everything

    scene.poll(step.members, settled, f"{', '.join(step.members)} sharing {step.topic}")
    members = {name: scene.members[name] for name in step.members}
    scene.settled[step.into] = Settled(
        {name: member.assignment() for name, member in members.items()},
        {name: member.rebalances for name, member in members.items()},
    )


@play.register
def _(step: steps.Consume, scene: Scene) -> None:
    enough = f"{step.count} records for {', '.join(step.members)}"

    def done(records: list[Record]) -> bool:
        # Stored or delivered again, as after a lost answer, is not one more; a verdict that forbids it sees it.
        return len({record.value for record in records}) >= step.count

    scene.seen[step.into] = scene.poll(step.members, done, enough)


@play.register
def _(step: steps.Commit, scene: Scene) -> None:
    member, offsets = scene.members[step.member], None if step.offsets is None else dict(step.offsets)
    if not step.stubborn:
        member.commit(offsets)
        return
    failures: list[Exception] = []

    def acknowledged() -> bool:
        try:
            member.commit(offsets)
        except Exception as failed:  # noqa: BLE001  # each library has a family of its own
            failures.append(failed)
            # Polling is how a member learns that it has to join again. Nothing is left to be read.
            member.poll(POLL_S)
            return False
        return True

    scene.until(acknowledged, f"an acknowledged commit of {step.member} (after {failures})")


@play.register
def _(step: steps.Leave, scene: Scene) -> None:
    failures = (Exception,) if step.unheard else ()
    with contextlib.suppress(*failures):
        scene.members.pop(step.member).leave()


@play.register
def _(step: steps.Kill, scene: Scene) -> None:
    del scene.members[step.member]
    scene.mortals.pop(step.member).process.kill()
    scene.target.let_pass(SESSION_TIMEOUT_MS + 1_000)


@play.register
def _(step: steps.CrashCoordinator, scene: Scene) -> None:
    scene.deaths.crash_coordinator(scene.called(step.group))


@play.register
def _(step: steps.CrashCoordinatorWhen, scene: Scene) -> None:
    scene.deaths.crash_coordinator_when(scene.called(step.group), step.moment)


@play.register
def _(step: steps.CrashLeaderWhen, scene: Scene) -> None:
    scene.deaths.crash_leader_when(scene.called(step.topic), step.end_offset)


@play.register
def _(_step: steps.AwaitCrash, scene: Scene) -> None:
    scene.deaths.await_crash()


@play.register
def _(step: steps.CreateTopic, scene: Scene) -> None:
    scene.client.create_topic(scene.called(step.topic), step.partitions)


@play.register
def _(step: steps.AddPartitions, scene: Scene) -> None:
    scene.client.add_partitions(scene.called(step.topic), step.total)


@play.register
def _(step: steps.DeleteTopic, scene: Scene) -> None:
    scene.client.delete_topic(scene.called(step.topic))


@play.register
def _(step: steps.Describe, scene: Scene) -> None:
    def described() -> bool:
        scene.found[step.into] = scene.client.partition_count(scene.called(step.topic))
        return scene.found[step.into] == step.partitions

    scene.until(described, f"{step.topic} described with {step.partitions} partitions")

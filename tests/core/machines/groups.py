"""A group of consumers under fire: the rules, and what must hold whatever order they run in.

Members join, sync, heartbeat, commit and leave by real requests; their coordinator crashes, moves, is cut off
from its followers, and time jumps.  The model knows only what clients were told, never what a broker thinks:

    I5   in one generation nobody is told to own a partition that another owns
    I6   no commit counts that comes from before the newest generation that anybody works in
    I7   a committed offset moves only to what somebody tried to commit, and an acknowledged one never back
    I8   every request on a connection that lives is answered, once, in the end
    I10  generations grow, and each has one leader
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mockbroker.core.groups.consumer_protocol import parse_assignment
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.protocol.errors import ErrorCode
from tests.core.groups.desk import GROUP, TOPIC, Asked, Client, Desk, error_of_commit, share

PARTITIONS = 4
SESSION_MS, REBALANCE_MS = 6_000, 9_000

# Longer than any session, rebalance or commit can last; see `teardown`.
QUIET_MS = 60_000

E = ErrorCode
GONE = {E.UNKNOWN_MEMBER_ID, E.FENCED_INSTANCE_ID}


class Consumer:
    """A client with one connection: while a request is out it cannot send another."""

    def __init__(self, desk: Desk, name: str, instance_id: str | None) -> None:
        self.client = Client(
            desk, name, instance_id=instance_id, session_ms=SESSION_MS, rebalance_ms=REBALANCE_MS
        )
        self.name = name
        self.asked: Asked | None = None
        self.then: Callable[[Asked], None] = lambda _: None
        self.broker = 0
        # What it was told last: the members to assign to, if it leads; that it should join again.
        self.members: list[str] = []
        self.working = False
        self.heartbeat = E.NONE

    def __repr__(self) -> str:
        return self.name


class GroupMachine(RuleBasedStateMachine):
    """Three brokers, five consumers (two of them static), one group."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(offsets_topic_num_partitions=1)
        self.consumers = [
            Consumer(self.desk, name, f"instance-{name}" if name in "de" else None) for name in "abcde"
        ]
        self.owners: dict[int, dict[int, str]] = {}
        self.leaders: dict[tuple[int, int], str] = {}
        self.joined_in_term: dict[int, int] = {}
        self.newest_at_work = 0
        self.acked = dict.fromkeys(range(PARTITIONS), -1)
        self.maybe: dict[int, set[int]] = {index: set() for index in range(PARTITIONS)}
        self.next_offset = 1
        self.down: int | None = None
        self.cut = False

    # -- requests ---------------------------------------------------------------------------------

    def send(self, consumer: Consumer, asked: Asked, then: Callable[[Asked], None]) -> None:
        """A request is out; `then` learns of the answer, unless the connection breaks first."""
        consumer.asked, consumer.then, consumer.broker = asked, then, self.desk.coordinator().id
        self.receive()

    def receive(self) -> None:
        """Let everybody read what has arrived."""
        for consumer in self.consumers:
            if consumer.asked is not None and consumer.asked.done:
                asked, consumer.asked = consumer.asked, None
                consumer.then(asked)

    @property
    def term(self) -> int:
        """One coordinator's time in office."""
        return self.desk.world.controller.image.topics[OFFSETS_TOPIC].partitions[0].leader_epoch

    def free(self, name: str) -> Consumer | None:
        consumer = next(c for c in self.consumers if c.name == name)
        return consumer if consumer.asked is None else None

    # -- what members do --------------------------------------------------------------------------

    names = st.sampled_from("abcde")

    @initialize(count=st.integers(0, 4))
    def begin(self, count: int) -> None:
        """Some runs begin with a group at work, others with nobody."""
        for name in "adbe"[:count]:
            self.join(name, 9)
        for _ in range(2 if count else 0):
            self.behave()

    @rule(name=names, version=st.sampled_from([3, 5, 9]))
    def join(self, name: str, version: int) -> None:
        """Join, or join again; an id that is handed out first is used at once."""
        consumer = self.free(name)
        if consumer is None:
            return
        client, term = consumer.client, self.term
        # Older versions cannot say that a member is static.
        asked = client.enter(version if client.instance_id is None else max(version, 5))
        self.send(consumer, asked, lambda asked: self.on_joined(consumer, asked, term))

    def on_joined(self, consumer: Consumer, asked: Asked, term: int) -> None:
        client = consumer.client
        consumer.working = False
        if asked.error is not E.NONE:
            if asked.error in GONE:
                client.member_id = ""
            return
        answer = client.take(asked)
        consumer.members = [m.member_id for m in answer.members]
        generation = answer.generation_id
        assert generation >= self.newest_at_work, f"generation {generation} after {self.newest_at_work}"
        assert generation >= self.joined_in_term.get(term, 0), "generations grow"
        self.joined_in_term[term] = generation
        if answer.members:
            leader = self.leaders.setdefault((term, generation), self.identity(consumer))
            assert leader == self.identity(consumer), f"{leader} and {consumer} lead generation {generation}"

    def identity(self, consumer: Consumer) -> str:
        """Who it is for the group: a static member stays itself under a new member id."""
        return consumer.client.instance_id or consumer.client.member_id

    @rule(name=names)
    def restart(self, name: str) -> None:
        """A consumer's process starts again: it has forgotten its member id."""
        consumer = self.free(name)
        if consumer is not None:
            consumer.client.member_id, consumer.client.generation = "", -1
            consumer.working = False

    @rule(name=names)
    def sync(self, name: str) -> None:
        """Fetch the assignment; a leader brings it."""
        consumer = self.free(name)
        if consumer is None or not consumer.client.member_id:
            return
        asked = consumer.client.sync(share(consumer.members, PARTITIONS) if consumer.members else None)
        self.send(consumer, asked, lambda asked: self.on_synced(consumer, asked))

    def on_synced(self, consumer: Consumer, asked: Asked) -> None:
        if asked.error is not E.NONE:
            consumer.working = False
            if asked.error in GONE:
                consumer.client.member_id = ""
            return
        generation = consumer.client.generation
        self.newest_at_work = max(self.newest_at_work, generation)
        owners = self.owners.setdefault(generation, {})
        mine = parse_assignment(asked.answer.assignment).get(TOPIC, [])
        for index in mine:
            owner = owners.setdefault(index, self.identity(consumer))
            assert owner == self.identity(consumer), f"{owner} and {consumer} own {index} in {generation}"
        consumer.working = True

    @rule()
    def behave(self) -> None:
        """Everybody does for once what a real client does: come back, and fetch its assignment."""
        for name in "abcde":
            consumer = self.free(name)
            if consumer is not None and consumer.client.member_id and not self.fine(consumer):
                self.join(name, 9)
        # The leader last, so that the others are parked when its assignment comes.
        for consumer in sorted(self.consumers, key=lambda consumer: bool(consumer.members)):
            if not consumer.working:
                self.sync(consumer.name)

    def fine(self, consumer: Consumer) -> bool:
        """Ask the coordinator whether the member should stay as it is."""
        self.heartbeat(consumer.name)
        return consumer.heartbeat is E.NONE

    @rule(name=names)
    def heartbeat(self, name: str) -> None:
        """Stay alive, and hear whether to join again."""
        consumer = self.free(name)
        if consumer is None or not consumer.client.member_id:
            return
        generation = consumer.client.generation
        error = consumer.heartbeat = consumer.client.heartbeat()
        self.receive()
        if error is E.NONE:
            assert generation >= self.newest_at_work, "a heartbeat of an older generation is refused"
        elif error in GONE:
            consumer.client.member_id = ""

    @rule(name=names)
    def leave(self, name: str) -> None:
        """Go.  What the consumer remembers of its membership, it keeps: zombies do."""
        consumer = self.free(name)
        if consumer is None or not consumer.client.member_id:
            return
        zombie = consumer.client.member_id, consumer.client.generation
        self.send(consumer, consumer.client.leave(), lambda asked: self.on_left(zombie, asked))

    def on_left(self, zombie: tuple[str, int], asked: Asked) -> None:
        if asked.error is E.NONE and asked.answer.members[0].error_code == E.NONE:
            member_id, generation = zombie
            late = self.desk.commit(self.next_offset, member_id=member_id, generation=generation)
            assert late.done, "a commit of somebody who left is refused at once"
            assert error_of_commit(late) is not E.NONE

    @rule(name=names, index=st.integers(0, PARTITIONS - 1), behind=st.sampled_from([0, 0, 0, 1, 2]))
    def commit(self, name: str, index: int, behind: int) -> None:
        """Commit, sometimes as a zombie of an earlier generation."""
        consumer = self.free(name)
        if consumer is None or not consumer.client.member_id:
            return
        client = consumer.client
        generation = max(client.generation - behind, 0)
        stale = generation < self.newest_at_work
        offset, self.next_offset = self.next_offset, self.next_offset + 1
        self.maybe[index].add(offset)
        asked = self.desk.commit(
            offset, index=index, member_id=client.member_id, generation=generation,
            instance_id=client.instance_id,
        )  # fmt: skip
        self.send(
            consumer, asked, lambda asked: self.on_committed(consumer, asked, index, offset, stale=stale)
        )

    @rule(index=st.integers(0, PARTITIONS - 1))
    def work(self, index: int) -> None:
        """Everybody who has an assignment commits."""
        for consumer in self.consumers:
            if consumer.working:
                self.commit(consumer.name, index, 0)

    def on_committed(self, consumer: Consumer, asked: Asked, index: int, offset: int, *, stale: bool) -> None:
        error = error_of_commit(asked)
        if error is E.NONE:
            assert not stale, f"{consumer} committed for a generation that is over"
            self.acked[index] = max(self.acked[index], offset)
        elif error not in (E.COORDINATOR_NOT_AVAILABLE, E.NOT_COORDINATOR):
            # Refused, and so never written; the other two say that nobody knows.
            self.maybe[index].discard(offset)
            if error in GONE:
                consumer.client.member_id = ""

    @invariant()
    def the_group_has_come_as_far_as_it_was_told(self) -> None:
        """I7, looked at after every step."""
        for index, told in enumerate(self.desk.progress(PARTITIONS)):
            assert told >= self.acked[index], f"{self.acked[index]} was acknowledged, {told} is told"
            assert told == self.acked[index] or told in self.maybe[index], f"nobody committed {told}"
            self.acked[index] = told

    # -- what happens to them ---------------------------------------------------------------------

    @rule(ms=st.sampled_from([100, 2_000, 5_999, 6_000, 9_000]))
    def pass_time(self, ms: int) -> None:
        """Broker time and the clients' patience pass together, as they do outside of tests."""
        self.desk.world.patience.advance(ms)
        self.desk.advance(ms)
        self.receive()

    @precondition(lambda self: self.down is None and self.desk.has_a_successor())
    @rule()
    def crash_coordinator(self) -> None:
        """Kill it: connections to it break, what was only in its memory or only in its log is gone."""
        gone = self.desk.fail_over()
        self.down = gone.id
        if self.cut:
            self.cut = False
            for other in self.desk.world.nodes:
                self.desk.world.links.mend(gone.id, other)
        for consumer in self.consumers:
            if consumer.asked is not None and consumer.broker == self.down:
                consumer.asked = None
        self.receive()

    @precondition(lambda self: self.down is not None)
    @rule()
    def restart_broker(self) -> None:
        """Bring the dead broker back; it follows."""
        assert self.down is not None
        self.desk.world.restart(self.down)
        self.down = None
        self.receive()

    @precondition(lambda self: self.down is None and not self.cut)
    @rule()
    def move_coordinator(self) -> None:
        """Let another replica lead: who is parked is told to look for it."""
        self.desk.hand_over()
        self.receive()

    @precondition(lambda self: self.down is None and not self.cut)
    @rule()
    def hold_replication(self) -> None:
        """Nothing that is written is safe until this ends."""
        self.desk.hold_replication()
        self.cut = True

    @precondition(lambda self: self.cut)
    @rule()
    def release_replication(self) -> None:
        """The followers catch up."""
        self.cut = False
        self.desk.release_replication()
        self.receive()

    # -- the end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody falls silent: all that was asked is answered, all members expire, nothing is undone."""
        if self.cut:
            self.release_replication()
        self.pass_time(QUIET_MS)
        self.pass_time(QUIET_MS)
        waiting = [consumer.asked.why for consumer in self.consumers if consumer.asked is not None]
        assert waiting == []
        group = self.desk.shard().groups.get(GROUP)
        assert group is None or group.state.value == "Empty", f"silent members are still in {group!r}"
        self.the_group_has_come_as_far_as_it_was_told()

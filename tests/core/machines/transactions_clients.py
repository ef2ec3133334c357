"""Transactional producers as a state machine has them, and what must be true of what they were told.

Each does what its client would: it sends again what was not answered, aborts what went wrong, and asks for the same
end until it has an answer.  They know nothing of what is done to brokers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mockbroker.core.transactions.records import Place
from mockbroker.protocol.messages.offsets import (
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
)
from mockbroker.records.batch import Batch, iter_records
from tests.core.machines.transactions import commits
from tests.core.simulation import TOPIC, Asked, Simulation, batches_in
from tests.core.transactions.payer import FIRST, Payer, code

READ_COMMITTED = 1
TIMEOUT_MS = 20_000

# The place whose offset the groups keep.
KEPT: Place = (TOPIC, 0)

# After these a producer sends its batch again, and a client asks again for the same end.
SEND_AGAIN = {
    "CONCURRENT_TRANSACTIONS", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT", "UNKNOWN_TOPIC_OR_PARTITION",
}  # fmt: skip
END_AGAIN = {
    "CONCURRENT_TRANSACTIONS", "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR",
}  # fmt: skip
NO_ANSWER = "no answer"


@dataclass(eq=False)
class Attempt:
    """One transaction, as its producer knows it."""

    owner: str
    epoch: int
    # Values by place, and whether they were acknowledged; the same of offsets that a group is to have.
    sent: dict[bytes, Place] = field(default_factory=dict)
    acked: set[bytes] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    acked_offsets: set[int] = field(default_factory=set)
    # Whether it was asked to be committed, and how it has ended by the coordinator's word.
    wanted: bool = False
    committed: bool | None = None

    @property
    def empty(self) -> bool:
        return not self.sent and not self.kept


class Ledger:
    """All attempts of all producers: which value and which offset is whose."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.of_value: dict[bytes, Attempt] = {}
        self.of_offset: dict[int, Attempt] = {}
        # What some reader of committed records has been given.
        self.seen: set[bytes] = set()

    def begin(self, owner: str, epoch: int) -> Attempt:
        attempt = Attempt(owner, epoch)
        self.attempts.append(attempt)
        return attempt

    def new_value(self, attempt: Attempt, place: Place) -> bytes:
        value = b"%d" % len(self.of_value)
        self.of_value[value] = attempt
        attempt.sent[value] = place
        return value

    def new_offset(self, attempt: Attempt) -> int:
        offset = len(self.of_offset)
        self.of_offset[offset] = attempt
        attempt.kept.add(offset)
        return offset

    def see(self, value: bytes) -> None:
        attempt = self.of_value[value]
        assert attempt.committed is not False, f"{value!r} was aborted, and is read: {attempt}"
        assert attempt.wanted, f"{value!r} is read, and nobody has asked to commit it: {attempt}"
        self.seen.add(value)

    # -- in the end -------------------------------------------------------------------------------

    def check(self, visible: dict[Place, list[bytes]]) -> None:
        """Each transaction has happened as it was told, and as a whole or not at all."""
        shown = {value for values in visible.values() for value in values}
        for values in visible.values():
            assert len(values) == len(set(values)), f"a value is there twice: {values}"
        gone = {value for value in self.seen if self.of_value[value].sent[value] in visible} - shown
        assert not gone, f"{gone} were read as committed, and are not there any more"
        for attempt in self.attempts:
            mine = {value for value, place in attempt.sent.items() if place in visible}
            acked = attempt.acked & mine
            if attempt.committed:
                assert acked <= shown, f"committed, and lost {acked - shown}: {attempt}"
            elif attempt.committed is False:
                assert not mine & shown, f"aborted, and there is {mine & shown}: {attempt}"
            elif mine & shown:
                assert attempt.wanted, f"{mine & shown} is there, and nobody has asked for it: {attempt}"
                assert acked <= shown, f"torn, {acked - shown} is missing: {attempt}"

    def check_offset(self, owner: str, offset: int, visible: dict[Place, list[bytes]]) -> None:
        """A group has come as far as the last of its transactions that was committed."""
        shown = {value for values in visible.values() for value in values}
        if offset >= 0:
            attempt = self.of_offset[offset]
            assert attempt.owner == owner
            assert attempt.committed is not False, f"{offset} was aborted: {attempt}"
            assert attempt.wanted, f"{offset} counts, and nobody has asked for it: {attempt}"
            mine = {value for value in attempt.acked if attempt.sent[value] in visible}
            assert mine <= shown, f"{offset} counts, and the records do not: {attempt}"
        for attempt in self.attempts:
            if attempt.owner == owner and (attempt.committed or set(attempt.sent) & shown):
                far = max(attempt.acked_offsets, default=-1)
                assert far <= offset, f"{far} was committed, and the group is at {offset}: {attempt}"


class Producer:
    """One client with a transactional id."""

    def __init__(self, sim: Simulation, ledger: Ledger, payer: Payer) -> None:
        self.sim = sim
        self.ledger = ledger
        self.payer = payer
        self.attempt: Attempt | None = None
        self._forget()
        # Answers that have not come: by place of a batch, or of an offset.
        self.late: list[tuple[Asked, Attempt, bytes]] = []

    @property
    def first_protocol(self) -> bool:
        return self.payer.versions is FIRST

    def _forget(self) -> None:
        """Another transaction begins."""
        self.unsettled: dict[Place, tuple[bytes, int]] = {}
        self.added: set[Place] = set()
        self.broken = False
        # Whether something of this transaction may still arrive.
        self.doubt = False
        self.ending: bool | None = None

    def _next(self) -> None:
        self._forget()
        self.attempt = self.ledger.begin(self.payer.name, self.payer.epoch)

    # -- what it does -----------------------------------------------------------------------------

    def begin(self, *, known: bool = False) -> None:
        """InitProducerId: as somebody new, or as itself, which it has to while something is in doubt (KIP-360)."""
        known = self.payer.id >= 0 and (known or (self.attempt is None and self.doubt))
        told = self._heard(self.payer.begin(timeout_ms=TIMEOUT_MS, known=known))
        if told == "NONE":
            self._next()
            return
        self.attempt = None
        if told not in END_AGAIN and told != NO_ANSWER:
            self.doubt = False

    def send(self, place: Place) -> None:
        """The next batch, or the last one again."""
        attempt = self.attempt
        if attempt is None or self.broken or self.ending is not None or not self._enrolled(place):
            return
        if place in self.unsettled:
            value, sequence = self.unsettled[place]
        else:
            value, sequence = self.ledger.new_value(attempt, place), self.payer.sequences.get(place, 0)
            self.unsettled[place] = value, sequence
        asked = self.payer.send(value, place=place, sequence=sequence)
        told = self._heard(asked)
        if told == "NONE":
            attempt.acked.add(value)
            self.payer.sequences[place] = sequence + 1
            del self.unsettled[place]
        elif told == NO_ANSWER:
            self.late.append((asked, attempt, value))
        elif told not in SEND_AGAIN:
            self.broken = True

    def _enrolled(self, place: Place) -> bool:
        """With the first protocol the client says beforehand where it will write."""
        if not self.first_protocol or place in self.added:
            return True
        told = self._heard(self.payer.add(place))
        if told == "NONE":
            self.added.add(place)
        elif told not in END_AGAIN and told not in (NO_ANSWER, "UNKNOWN_TOPIC_OR_PARTITION"):
            self.broken = True
        return told == "NONE"

    def keep(self) -> None:
        """An offset for its group."""
        attempt = self.attempt
        if attempt is None or self.broken or self.ending is not None:
            return
        group = self.payer.name
        if self.first_protocol and self._heard(self.payer.add_offsets(group)) != "NONE":
            return
        self.added.add(self.payer.group_place(group))
        offset = self.ledger.new_offset(attempt)
        told = self._heard(self.payer.keep(offset, place=KEPT, group=group))
        if told == "NONE":
            attempt.acked_offsets.add(offset)
        else:
            self.broken = self.doubt = True

    def end(self, *, commit: bool) -> None:
        """EndTxn, and the same one again until it is answered."""
        attempt = self.attempt
        if attempt is None:
            return
        if self.ending is None:
            if attempt.empty and not self.added:
                return
            self.doubt |= bool(self.unsettled)
            self.ending = commit and not (self.broken or self.unsettled) and not attempt.empty
            attempt.wanted = self.ending
        told = self._heard(self.payer.end(commit=self.ending))
        if told == "NONE":
            attempt.committed = self.ending
            if self.first_protocol and self.doubt:
                self.attempt = None  # it asks for another epoch, so that nothing late gets into the next one
            else:
                self._next()
        elif told not in END_AGAIN and told != NO_ANSWER:
            self.attempt, self.doubt = None, False

    def look(self) -> None:
        """Look for answers that have come late."""
        for one in list(self.late):
            asked, attempt, value = one
            if not asked.answered:
                continue
            self.late.remove(one)
            if not asked.closed and code(asked) == "NONE" and attempt.committed is None:
                attempt.acked.add(value)

    @staticmethod
    def _heard(asked: Asked) -> str:
        return code(asked) if asked.answered and not asked.closed else NO_ANSWER


# -- readers --------------------------------------------------------------------------------------------


def read_committed(sim: Simulation, place: Place) -> list[bytes]:
    """What a consumer shows of a partition: no markers, and nothing that the answer says was aborted."""
    asked = sim.fetch(0, topic=place[0], index=place[1], isolation=READ_COMMITTED, to=sim.leader_id(*place))
    if not asked.answered or asked.closed or asked.only.error_code:
        return []
    told = asked.only
    aborted = sorted((one.first_offset, one.producer_id) for one in told.aborted_transactions or ())
    return _shown(batches_in(told.records), aborted)


def _shown(found: Iterable[Batch], aborted: list[tuple[int, int]]) -> list[bytes]:
    shown: list[bytes] = []
    hidden: set[int] = set()
    for batch in found:
        while aborted and aborted[0][0] <= batch.last_offset:
            hidden.add(aborted.pop(0)[1])
        if batch.is_control:
            if not commits(batch):
                hidden.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in hidden):
            shown += [bytes(record.value or b"") for record in iter_records(batch)]
    return shown


def committed_offset(sim: Simulation, payer: Payer) -> int | None:
    """How far the group of a producer has come; None where nobody can say."""
    topic = OffsetFetchGroupTopic(name=KEPT[0], partition_indexes=[KEPT[1]])
    body = OffsetFetchRequest(groups=[OffsetFetchGroup(group_id=payer.name, topics=[topic])])
    asked = sim.ask(body, to=payer.group_leader(payer.name), version=9)
    if not asked.answered or asked.closed:
        return None
    (group,) = asked.response.groups
    return None if group.error_code else int(group.topics[0].partitions[0].committed_offset)

"""The ledger beside the replication machine: whatever happens to a cluster, it tells what is so.

The machine kills, cuts, freezes and elects; what it has seen with its own eyes is compared with what the ledger
says.  And the invariants of `check()` hold in every world that the machine comes to: a test is never told that
mockbroker is broken when it is not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant

from mockbroker.checkers.case import Case, gather
from mockbroker.checkers.every import verdicts
from mockbroker.checkers.invariants import breaches
from mockbroker.checkers.verdict import Outcome
from mockbroker.ledger.book import Ledger
from mockbroker.ledger.entries import Sent
from mockbroker.ledger.fates import LOST, STORED, UNSEEN
from mockbroker.records.batch import HEADER_BYTES
from tests.core.machines.replication import Place
from tests.core.machines.test_replication_machine import PLACES, Replication
from tests.core.simulation import ALL

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica


class Noted(Replication):
    """The same machine, watched by a ledger."""

    @initialize(
        count=st.sampled_from([3, 3, 4, 5]),
        min_in_sync=st.sampled_from([2, 1]),
        copies=st.sampled_from([3, 2]),
        controller_ms=st.sampled_from([0, 0, 30]),
        brokers_ms=st.sampled_from([0, 0, 7]),
        unclean=st.sampled_from([False, True]),
    )
    def begin(self, count: int, min_in_sync: int, **how: Any) -> None:
        super().begin(count, min_in_sync, **how)
        self.ledger = Ledger(self.world)
        # The machine makes its topics first; the elections of then are of no account.
        self.world.witness = self.ledger

    def case(self) -> Case:
        return gather(self.world, self.ledger)

    @invariant()
    def every_batch_is_where_the_ledger_says(self) -> None:
        if not hasattr(self, "ledger"):
            return
        case = self.case()
        assert breaches(self.world, case) == []
        for sent, state in case.with_states():
            leader = self.partition_leader(sent.place)
            if leader is None or not sent.stored or sent.end_offset <= leader.log.start:
                continue
            if self.came_again(case, sent):
                continue  # in the same place, perhaps, and then nobody can tell one from the other
            there = body_at(leader, sent.base_offset) == body(sent)
            assert there == (state in (STORED, UNSEEN)), f"{sent} is {state}"
            if leader.leading and leader.leader_epoch == self.clients.partition(sent.place).leader_epoch:
                # Its term has begun, so that it is known what it has cost.
                assert (sent.lost_by is not None) == (state == LOST), f"{sent} is {state}"

    @staticmethod
    def came_again(case: Case, sent: Sent) -> bool:
        return any(other is not sent and other.stored and body(other) == body(sent) for other in case.sent)

    def partition_leader(self, place: Place) -> Replica | None:
        leader = self.clients.partition(place).leader
        return None if leader < 0 else self.world.nodes[leader].replicas.get(place)

    def teardown(self) -> None:
        super().teardown()
        if not hasattr(self, "ledger"):
            return
        case = self.case()
        acked = {
            (sent.place, sent.base_offset): body(sent)
            for sent in case.sent
            if sent.acked and sent.acks == ALL
        }
        for place in PLACES:
            for offset, value in self.clients.acknowledged[place].items():
                assert acked[place, offset] == value
        lost = next(verdict for verdict in verdicts(case) if verdict.name == "acked_lost")
        gone = [
            sent
            for sent in case.sent
            if sent.acked and not self.came_again(case, sent) and self.is_gone(sent)
        ]
        assert lost.outcome is Outcome.VIOLATED or not gone
        assert lost.outcome is not Outcome.VIOLATED or gone or self.sent_twice(case)

    def sent_twice(self, case: Case) -> bool:
        return any(self.came_again(case, sent) for sent in case.sent)

    def is_gone(self, sent: Sent) -> bool:
        leader = self.partition_leader(sent.place)
        assert leader is not None, "all is repaired"
        return sent.end_offset > leader.log.start and body_at(leader, sent.base_offset) != body(sent)


def body(sent: Sent) -> bytes:
    """What the producer has written, whatever the broker has put before it."""
    assert sent.data is not None
    return bytes(sent.data)[HEADER_BYTES:]


def body_at(replica: Replica, offset: int) -> bytes | None:
    found = [batch for batch in replica.log.batches if batch.base_offset == offset]
    return bytes(found[0].body) if found else None


TestNoted = Noted.TestCase
if not os.environ.get("MOCKBROKER_SOAK"):
    TestNoted.settings = settings(max_examples=200, stateful_step_count=40)

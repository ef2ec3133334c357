"""Who read for whom: by client id and assignment, and nobody where that does not tell."""

from __future__ import annotations

from mockbroker.core.groups.views import Generation
from mockbroker.ledger.entries import Joined, Served
from mockbroker.ledger.readers import Member, Readers


def generation(number: int, at_us: int, **owned: list[int]) -> Generation:
    members = {member: {"orders": parts} for member, parts in owned.items()}
    client_ids = {"m1": "c1", "m2": "c2", "twin": "c1", "a1": "c1"}
    return Generation(number, 0, 1, "", members, 0, at_us, client_ids)


def served(client: str = "c1", at_us: int = 50, partition: int = 0) -> Served:
    return Served(at_us, client, 1, 1, ("orders", partition), 0, 1, committed_only=False)


def joined(group: str, member: str, client: str) -> Joined:
    return Joined(0, group, member, client, 1)


BILLING = [joined("billing", "m1", "c1"), joined("billing", "m2", "c2")]


def test_it_was_the_owner_at_that_time() -> None:
    past = [generation(1, 10, m1=[0, 1]), generation(2, 40, m1=[0], m2=[1]), generation(3, 60, m2=[0, 1])]
    readers = Readers({"billing": past}, BILLING)
    assert readers.owners(served()) == [Member("billing", "m1", 2)]
    assert readers.owners(served(at_us=20)) == [Member("billing", "m1", 1)]
    assert readers.owners(served(at_us=70)) == []
    assert str(readers.owners(served())[0]) == "m1 of billing, generation 2"


def test_a_member_that_reads_what_it_does_not_own_reads_for_its_group_all_the_same() -> None:
    readers = Readers({"billing": [generation(1, 10, m1=[0], m2=[1])]}, BILLING)
    assert readers.owners(served("c2")) == []
    assert readers.group_of(served("c2")) == "billing"


def test_before_there_was_a_generation_nobody_owned_anything() -> None:
    readers = Readers({"billing": [generation(1, 60, m1=[0])]}, BILLING)
    assert (readers.owners(served()), readers.group_of(served())) == ([], "billing")


def test_two_groups_with_one_client_id_cannot_be_told_apart_where_both_own_the_partition() -> None:
    both = {"billing": [generation(1, 10, m1=[0, 1])], "audit": [generation(1, 10, a1=[0])]}
    readers = Readers(both, [*BILLING, joined("audit", "a1", "c1")])
    assert readers.group_of(served()) is None
    assert readers.group_of(served(partition=1)) == "billing"
    assert readers.groups("c1") == {"billing", "audit"}


def test_a_stranger_reads_for_nobody() -> None:
    readers = Readers({"billing": [generation(1, 10, m1=[0])]}, BILLING)
    assert (readers.owners(served("x")), readers.group_of(served("x"))) == ([], None)
    assert readers.groups("x") == set()

"""Which member of which group got what was served: worked out from client ids and assignments.

A fetch does not say which group it is for.  Where one member with its client id owned the partition, it was that
one; where several groups come into question, nobody can know, and that is what is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockbroker.core.groups.views import Generation
    from mockbroker.ledger.entries import Joined, Served


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group, in one of its generations."""

    group: str
    id: str
    generation: int

    def __str__(self) -> str:
        return f"{self.id} of {self.group}, generation {self.generation}"


class Readers:
    """Who reads for whom."""

    def __init__(self, generations: Mapping[str, Sequence[Generation]], joined: Iterable[Joined]) -> None:
        self._generations = generations
        self._groups: dict[str, set[str]] = defaultdict(set)
        for one in joined:
            self._groups[one.client_id].add(one.group)

    def groups(self, client_id: str) -> set[str]:
        """The groups that clients of this name have joined."""
        return self._groups.get(client_id, set())

    def owners(self, served: Served) -> list[Member]:
        """The members with the reader's client id that owned the partition then: one, where that is clear."""
        found = []
        for group in sorted(self.groups(served.client_id)):
            past = [g for g in self._generations.get(group, ()) if g.at_us <= served.at_us]
            if not past:
                continue
            now = past[-1]
            found += [
                Member(group, member, now.generation)
                for member in now.owners(*served.place)
                if now.client_ids.get(member) == served.client_id
            ]
        return found

    def group_of(self, served: Served) -> str | None:
        """The group that this was read for, or None where it may have been several, or none."""
        groups = {member.group for member in self.owners(served)} or self.groups(served.client_id)
        return next(iter(groups)) if len(groups) == 1 else None

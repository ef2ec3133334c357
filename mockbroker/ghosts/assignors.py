"""Who gets which partitions, as Kafka's own assignors would have it: range, roundrobin and the sticky ones.

Pure functions from members and partition counts to an assignment.  The sticky ones keep to Kafka's two promises,
balance first and then as few moves as possible, without choosing the very same partitions as Java does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# A topic and the number of one of its partitions.
Place = tuple[str, int]
# The places of each member, by member id.
Shares = dict[str, list[Place]]

COOPERATIVE_STICKY = "cooperative-sticky"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One member, as its leader sees it: what it wants, and what it had, up to which generation."""

    id: str
    topics: Sequence[str]
    instance_id: str | None = None
    owned: Sequence[Place] = field(default=())
    generation: int = -1

    @property
    def rank(self) -> tuple[int, str]:
        """Its place in the order: static members by instance, before all others by id."""
        return (1, self.id) if self.instance_id is None else (0, self.instance_id)


def assign_range(members: Sequence[Candidate], counts: Mapping[str, int]) -> Shares:
    """Topic by topic, a run of neighbouring partitions for each; the first ones get what is left over."""
    shares: Shares = {member.id: [] for member in members}
    ranked = sorted(members, key=lambda member: member.rank)
    for topic, count in sorted(counts.items()):
        takers = [member.id for member in ranked if topic in member.topics]
        if not takers:
            continue
        each, extra = divmod(count, len(takers))
        begin = 0
        for at, taker in enumerate(takers):
            end = begin + each + (at < extra)
            shares[taker] += [(topic, index) for index in range(begin, end)]
            begin = end
    return shares


def assign_roundrobin(members: Sequence[Candidate], counts: Mapping[str, int]) -> Shares:
    """All partitions in order, dealt out in turn; who does not want one is passed over."""
    shares: Shares = {member.id: [] for member in members}
    ranked = sorted(members, key=lambda member: member.rank)
    turn = 0
    for place in _places(counts):
        for _ in ranked:
            taker = ranked[turn % len(ranked)]
            turn += 1
            if place[0] in taker.topics:
                shares[taker.id].append(place)
                break
    return shares


def assign_sticky(members: Sequence[Candidate], counts: Mapping[str, int]) -> Shares:
    """Balanced, and as far as balance allows everybody keeps what it had."""
    ranked = sorted(members, key=lambda member: member.rank)
    wants = {member.id: set(member.topics) for member in ranked}
    shares = _kept(ranked, counts)
    taken = {place for share in shares.values() for place in share}
    takers = {topic: [id for id in shares if topic in wants[id]] for topic in counts}
    # What few want is given first, so that what many want can make up for it.
    for place in sorted(_places(counts), key=lambda place: len(takers[place[0]])):
        if place not in taken and takers[place[0]]:
            shares[min(takers[place[0]], key=lambda id: len(shares[id]))].append(place)
    while move := _move_towards_balance(shares, wants):
        place, giver, taker = move
        shares[giver].remove(place)
        shares[taker].append(place)
    return {id: sorted(share) for id, share in shares.items()}


def assign_cooperative(members: Sequence[Candidate], counts: Mapping[str, int]) -> Shares:
    """Sticky, but nobody is given what another still has: it is given up first, and assigned the next time."""
    claimed = {member.id: set(member.owned) for member in members}
    held = {place for places in claimed.values() for place in places}
    target = assign_sticky(members, counts)
    return {
        id: [place for place in share if place in claimed[id] or place not in held]
        for id, share in target.items()
    }


def _places(counts: Mapping[str, int]) -> list[Place]:
    return [(topic, index) for topic, count in sorted(counts.items()) for index in range(count)]


def _kept(ranked: Sequence[Candidate], counts: Mapping[str, int]) -> Shares:
    """What each may go on with: still there, still wanted, and claimed by nobody of a newer generation."""
    claims: dict[Place, list[Candidate]] = {}
    for member in ranked:
        for topic, index in member.owned:
            if topic in member.topics and index < counts.get(topic, 0):
                claims.setdefault((topic, index), []).append(member)
    shares: Shares = {member.id: [] for member in ranked}
    for place, claimants in sorted(claims.items()):
        newest = max(claimant.generation for claimant in claimants)
        newer = [claimant for claimant in claimants if claimant.generation == newest]
        if len(newer) == 1:  # two of one generation cannot both be right, so neither is believed
            shares[newer[0].id].append(place)
    return shares


def _move_towards_balance(shares: Shares, wants: Mapping[str, set[str]]) -> tuple[Place, str, str] | None:
    """A partition whose move makes two members more equal; each makes the sum of squares smaller, so they end."""
    for giver in sorted(shares, key=lambda id: -len(shares[id])):
        for taker in sorted(shares, key=lambda id: len(shares[id])):
            if len(shares[giver]) - len(shares[taker]) < 2:
                break
            movable = [place for place in shares[giver] if place[0] in wants[taker]]
            if movable:
                return movable[-1], giver, taker
    return None


Assignor = Callable[[Sequence[Candidate], Mapping[str, int]], Shares]

ASSIGNORS: dict[str, Assignor] = {
    "range": assign_range,
    "roundrobin": assign_roundrobin,
    "sticky": assign_sticky,
    COOPERATIVE_STICKY: assign_cooperative,
}

"""All ghosts of one cluster: they get their names here, and are asked after each step whether they act.

They are part of the world they live in, so an act of a ghost belongs to the step that gave it reason to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.call import Peer
from mockbroker.ghosts.line import Line
from mockbroker.ghosts.member import GhostMember, Wish
from mockbroker.ghosts.payer import GhostPayer
from mockbroker.ghosts.producer import GhostProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.conversation import FaultHook
    from mockbroker.core.world import World

# What ghosts call themselves where clients give the name of their software.
SOFTWARE = "mockbroker ghost"


class Company:
    """The ghosts of one world.

    `faults` meet their requests like anybody's; `new_ordinal` gives the number of the next connection.
    """

    def __init__(self, world: World, faults: FaultHook | None, new_ordinal: Callable[[], int]) -> None:
        self.world = world
        self._faults = faults
        self._new_ordinal = new_ordinal
        self._members: list[GhostMember] = []
        self._lines: list[Line] = []
        self._members_met = self._producers_met = 0

    # -- who there is -----------------------------------------------------------------------------

    def join(self, group_id: str, wish: Wish, client_id: str | None = None) -> GhostMember:
        """Let a new ghost join a group.  What comes of it within this step has happened when this returns."""
        self._members_met += 1
        name = f"ghost-{self._members_met}" if client_id is None else client_id
        self.world.history.act(f"{name} joins group {group_id}", group=group_id)
        ghost = GhostMember(self.world, group_id, wish, self._line(name), name)
        self._members.append(ghost)
        ghost.begin()
        self.world.settle()
        if ghost.failure is not None:
            self._members.remove(ghost)
            raise ghost.failure
        return ghost

    def producer(self, client_id: str | None = None, *, idempotent: bool = False) -> GhostProducer:
        """A new ghost that produces."""
        self._producers_met += 1
        name = f"ghost-producer-{self._producers_met}" if client_id is None else client_id
        return GhostProducer(self.world, self._line(name), name, idempotent=idempotent)

    def payer(self, client_id: str | None, transactional_id: str, timeout_ms: int) -> GhostPayer:
        """A new ghost that produces in transactions."""
        self._producers_met += 1
        name = f"ghost-producer-{self._producers_met}" if client_id is None else client_id
        return GhostPayer(self.world, self._line(name), name, transactional_id, timeout_ms)

    def members_of(self, group_id: str) -> list[GhostMember]:
        """The ghosts that are or were in a group, oldest first."""
        return [ghost for ghost in self._members if ghost.group_id == group_id]

    def waits(self) -> list[str]:
        """What their requests wait for, one sentence each."""
        return [why for line in self._lines for why in line.waits()]

    # -- their life -------------------------------------------------------------------------------

    def _line(self, client_id: str) -> Line:
        if not self._lines:
            self.world.residents.append(self.look)
            for node in self.world.nodes.values():
                node.on_crash.append(lambda id=node.id: self._crashed(id))  # type: ignore[misc] # a lambda that keeps its number
        line = Line(self.world, client_id, self._new_peer, self._faults)
        self._lines.append(line)
        return line

    def _new_peer(self) -> Peer:
        peer = Peer(ordinal=self._new_ordinal())
        peer.software = SOFTWARE
        return peer

    def _crashed(self, broker: int) -> None:
        for line in self._lines:
            line.hang_up(broker, f"broker {broker} crashed")

    def look(self) -> bool:
        """Let each act that has reason to; says whether one did."""
        acted = [ghost.look() for ghost in self._members]  # all of them, and not only until one acts
        return any(acted)

    def hush(self) -> list[GhostMember]:
        """Silence those that are not silent or gone: time is to jump, and nobody may notice.  Gives them."""
        hushed = [ghost for ghost in self._members if not ghost.silent and not ghost.ended]
        for ghost in hushed:
            ghost.be_silent()
        return hushed

    def dismiss(self) -> None:
        """Let all of them vanish without a word: the cluster is wiped."""
        for ghost in self._members:
            ghost.vanish()
        for line in self._lines:
            line.hang_up(why="the ghosts were dismissed")
        self._members.clear()

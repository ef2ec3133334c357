"""Ways to make trouble for transactions: messages that are kept or lost, coordinators that nobody follows.

Says what it did and what is so; what should have come of it is a test's affair.
"""

from __future__ import annotations

from collections.abc import Callable

from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC
from mockbroker.core.links import Message
from tests.core.simulation import TOPIC, Simulation
from tests.core.transactions.payer import FIRST, Payer, code

PATIENCE_MS = 30_000


class Meddler:
    """Keeps messages between brokers, and lets them go or loses them."""

    def __init__(
        self, sim: Simulation, *kinds: type[Message], when: Callable[[Message], bool] = bool
    ) -> None:
        self._links = sim.world.links
        self._sim = sim
        self._when = when if when is not bool else lambda _: True
        self._kinds = kinds
        self.kept: list[Message] = []
        self._links.between = self._look

    def _look(self, message: Message) -> bool:
        if isinstance(message, self._kinds) and self._when(message):
            self.kept.append(message)
            return False
        return True

    def stop(self) -> None:
        self._links.between = None

    def let_go(self, count: int | None = None) -> None:
        """Let the first ones travel, or all; new ones are kept as before."""
        going = self.kept[:count]
        del self.kept[:count]
        for message in going:
            self._links.redeliver(message)
        self._sim.world.settle()

    def lose(self) -> None:
        going, self.kept = self.kept, []
        for message in going:
            self._links.lose(message)
        self._sim.world.settle()


def opened(payer: Payer, *values: bytes, place: tuple[str, int] = (TOPIC, 0)) -> None:
    """Have a batch in a partition, and a transaction open there."""
    if payer.versions is FIRST:
        assert code(payer.add(place)) == "NONE"
    assert code(payer.send(*(values or (b"paid",)), place=place)) == "NONE"


def is_hanging(sim: Simulation, place: tuple[str, int] = (TOPIC, 0)) -> bool:
    leader = sim.leader(*place)
    return leader.last_stable_offset < leader.high_watermark


def hold_back(sim: Simulation, payer: Payer) -> None:
    """Let nothing that the coordinator writes be committed."""
    place = (TRANSACTIONS_TOPIC, payer.index)
    others = [id for id in sim.world.nodes if id != payer.coordinator.id]
    sim.freeze(*others, topic=place[0], index=place[1])


def let_on(sim: Simulation, payer: Payer) -> None:
    others = [id for id in sim.world.nodes if id != payer.coordinator.id]
    sim.catch_up(*others, topic=TRANSACTIONS_TOPIC, index=payer.index)

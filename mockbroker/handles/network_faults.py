"""What a test says of the network: `faults.network(client_id="app-a").half_open()`.

The rule is about connections, whatever goes over them.  Ghosts have none, and are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from mockbroker.faults.data import action_of
from mockbroker.faults.rule import Kind, Rule
from mockbroker.handles.armed import FaultControls

if TYPE_CHECKING:
    from mockbroker.core.rates import Rate
    from mockbroker.faults.rule import Action

FaultT = TypeVar("FaultT", bound=FaultControls)


class MatchingConnections(TypedDict, total=False):
    """Which connections a rule is about; each matcher takes one value, or several of which any will do.

    `client_id`: whose, which is known with the first request.  `broker`: to whom.  Or `source` and `to`, both ends
    broker ids or "controller": the network between brokers; one of them alone means all others.  `name`: to speak
    of it.  `optional`: it need not ever act.
    """

    client_id: str | Collection[str]
    broker: int | Collection[int]
    source: int | str | Collection[int | str]
    to: int | str | Collection[int | str]
    name: str
    optional: bool


class Connections(Generic[FaultT]):
    """The connections that a rule is about; one of its methods says what befalls them, and arms it."""

    def __init__(self, make: Callable[[Action], Rule], arm: Callable[[Rule], FaultT]) -> None:
        self._make = make
        self._arm = arm

    def _armed(self, kind: Kind, value: object = None) -> FaultT:
        return self._arm(self._make(action_of(kind, value)))

    def partition(self) -> FaultT:
        """Reset these connections, and new ones as soon as it is known that they match; its end heals.

        Between brokers messages are lost until it ends, and a broker without the controller is soon taken for dead.

        >>> with cluster.faults.network(client_id="app-a", optional=True).partition():
        ...     pass
        >>> cluster.faults.network(source=1, to=[2, 3]).partition().remove()
        """
        return self._armed(Kind.PARTITION)

    def half_open(self) -> FaultT:
        """Let the peer vanish: nothing is read or answered any more, and no end is ever sent.

        A client finds out by its own request timeout.  When the rule ends the connections are reset: a machine that
        comes back knows nothing of them.

        >>> cluster.faults.network(broker=1, optional=True).half_open()
        <Fault network broker=1: half_open>
        """
        return self._armed(Kind.HALF_OPEN)

    def reset(self) -> FaultT:
        """Reset those that are there now, once.

        >>> cluster.faults.network(client_id="app-a", optional=True).reset().hits
        0
        """
        return self._armed(Kind.RESET)

    def bandwidth(self, rate: Rate) -> FaultT:
        """Let so many bytes flow in a second, to the brokers and from them, over all these connections together.

        `rate` is "10 KiB/s", "1 MB/s", or a number of bytes.  The time is real, and no frozen clock stops it.

        >>> cluster.faults.network(client_id="mobile", optional=True).bandwidth("10 KiB/s")
        <Fault network client_id=mobile: bandwidth 10240 B/s>
        """
        return self._armed(Kind.BANDWIDTH, rate)

    def accept_then_silence(self) -> FaultT:
        """Accept new connections, and never answer on them; with a `client_id`, from its first request on.

        Connections that are there already go on.  When the rule ends they are served.

        >>> cluster.faults.network(broker=2, optional=True).accept_then_silence()
        <Fault network broker=2: accept_then_silence>
        """
        return self._armed(Kind.ACCEPT_THEN_SILENCE)

    def refuse(self) -> FaultT:
        """Close the brokers' listeners: who connects is refused, and who is connected stays.

        >>> with cluster.faults.network(broker=3).refuse():
        ...     pass
        """
        return self._armed(Kind.REFUSE)

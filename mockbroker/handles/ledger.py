"""The ledger, as a test holds it: what became of this record, and which ones were lost.

What it gives are values: they stay as they are, whatever the cluster does next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.usage import UsageError
from mockbroker.ledger.fates import Fate, Reading, Teller

if TYPE_CHECKING:
    from mockbroker.handles.door import Door
    from mockbroker.ledger.book import Ledger as Book

__all__ = ["Fate", "Ledger", "Reading"]


def _bytes(given: str | bytes | None) -> bytes | None:
    return given.encode() if isinstance(given, str) else given


class Ledger:
    """What became of every record, from the request that brought it to the commit that covers it.

    The newest 100,000 batches are remembered, and of 64 MiB of them the bytes.
    """

    def __init__(self, door: Door, book: Book) -> None:
        self._at = door
        self._book = book

    def fate(
        self,
        topic: str,
        *,
        key: str | bytes | None = None,
        value: str | bytes | None = None,
        partition: int | None = None,
        offset: int | None = None,
    ) -> list[Fate]:
        """The fates of the records of a topic that are like this, in the order in which they were sent.

        A record that was sent twice has two.

        >>> print(cluster.ledger.fate("orders", key="o-1")[0].state)
        stored
        """
        if offset is not None and partition is None:
            raise UsageError("fate(offset=...) needs a partition, too: offsets begin anew in each")
        return self._at.do(
            lambda: self._teller().fates(
                topic, key=_bytes(key), value=_bytes(value), partition=partition, offset=offset
            )
        )

    def lost(self, topic: str | None = None) -> list[Fate]:
        """Records that were acknowledged, and that no leader has any more.

        >>> cluster.ledger.lost("orders")
        []
        """
        return self._at.do(lambda: self._teller().lost(topic))

    def unacked(self, topic: str | None = None) -> list[Fate]:
        """Records that are stored although their producer was not told so.

        >>> cluster.ledger.unacked("orders")
        []
        """
        return self._at.do(lambda: self._teller().unacked(topic))

    def served(self, topic: str, *, partition: int | None = None, group: str | None = None) -> list[Reading]:
        """What was served of a topic, in the order in which it was: to anybody, or to the members of one group.

        A fetch does not say which group it is for.  Clients of several groups that share a client id cannot be told
        apart where they read the same partition: then `group` of the reading is None.

        >>> cluster.ledger.served("invoices")
        []
        """
        return self._at.do(lambda: self._teller().served(topic, partition, group))

    @property
    def dropped(self) -> int:
        """How many batches were forgotten for newer ones.

        >>> cluster.ledger.dropped
        0
        """
        return self._book.dropped

    def _teller(self) -> Teller:
        return Teller(self._at.world, self._book)

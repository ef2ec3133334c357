"""The transactional ids of one partition of `__transaction_state`, on the broker that leads it.

Operations are decided by `fencing`, `adding` and `ending`; this writes what they decide, one change of an id at a
time, and has the partitions told.  An id changes when its record is committed: by `replay`, and nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mockbroker.core import settings
from mockbroker.core.shard import Shard
from mockbroker.core.ticket import then
from mockbroker.core.transactions import ending, fencing
from mockbroker.core.transactions.ending import Ending
from mockbroker.core.transactions.markers import Markers
from mockbroker.core.transactions.records import (
    NO_EPOCH,
    NO_PRODUCER_ID,
    TransactionRecord,
    TransactionRemoved,
    encode_record,
    parse_record,
)
from mockbroker.core.transactions.states import AT_REST, PREPARED, TxnState, outcome_of
from mockbroker.core.transactions.transaction import Transaction, Transition
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mockbroker.core.clock import Timer
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.core.ticket import Reply
    from mockbroker.core.transactions.fencing import Claim
    from mockbroker.core.transactions.records import Place
    from mockbroker.records.record import Record

T = TypeVar("T")

WRITE_TIMEOUT_MS = 30_000

# A producer, as requests name it: id and epoch.
Identity = tuple[int, int]


class Granted(NamedTuple):
    """Who a producer is from now on; or, with an `error`, that nothing has changed."""

    producer_id: int = NO_PRODUCER_ID
    epoch: int = NO_EPOCH
    error: KafkaError | None = None


class TransactionShard(Shard):
    """A transaction coordinator's share of the transactional ids."""

    def __init__(self, node: Node, replica: Replica) -> None:
        super().__init__(node, replica)
        self.transactions: dict[str, Transaction] = {}
        self.markers = Markers(self)
        # Told the id of every transaction that has changed.
        self.on_change: list[Callable[[str], None]] = []
        self._uncommitted: deque[tuple[int, TransactionRecord | TransactionRemoved]] = deque()
        self._timeout_scan: Timer | None = None
        self._expiry_scan: Timer | None = None

    @property
    def patience_ms(self) -> int:
        """How long a write waits for its replicas: the broker's own request.timeout.ms."""
        return WRITE_TIMEOUT_MS

    # -- replaying --------------------------------------------------------------------------------

    def replay(self, record: Record, offset: int) -> None:
        """Fold one record in: at once where the log is known to be committed, else when it is."""
        said = None if record.key is None else parse_record(record.key, record.value)
        if said is None:
            return
        if self.loading and offset < self.replica.high_watermark:
            self._fold(said)
            return
        self._uncommitted.append((offset, said))
        if self.loading:
            self._inherit(said)

    def _inherit(self, said: TransactionRecord | TransactionRemoved) -> None:
        """A record that the followers may not have: nothing is done with its id until they have, or it is gone."""
        name = said.transactional_id
        if name not in self.transactions:
            producer_id = NO_PRODUCER_ID if isinstance(said, TransactionRemoved) else said.producer_id
            self.transactions[name] = Transaction(TransactionRecord(name, producer_id))
        self.transactions[name].inherited += 1

    def committed(self, end_offset: int) -> None:
        """The high watermark moved: what is below it is so."""
        while self._uncommitted and self._uncommitted[0][0] < end_offset:
            said = self._uncommitted.popleft()[1]
            transaction = self.transactions.get(said.transactional_id)
            if transaction is not None and transaction.inherited:
                transaction.inherited -= 1
            self._fold(said)
        self._arm_scans()

    def _fold(self, said: TransactionRecord | TransactionRemoved) -> None:
        name = said.transactional_id
        if isinstance(said, TransactionRemoved):
            known = self.transactions.get(name)
            if known is not None and not known.inherited:
                del self.transactions[name]
        else:
            transaction = self.transactions.setdefault(name, Transaction(said))
            transaction.enter(said)
            if not self.loading:
                if self.node.witness is not None:
                    self.node.witness.transaction_moved(said)
                self._carry_out(transaction)
        for tell in self.on_change:
            tell(name)

    def loaded(self) -> None:
        """What was decided is carried out: partitions that may have no marker yet are told once more."""
        for transaction in list(self.transactions.values()):
            self._carry_out(transaction)
        self._arm_scans()

    def _carry_out(self, transaction: Transaction) -> None:
        """Have each partition end a transaction whose end is decided; the id stays busy until all have."""
        if transaction.record.state in PREPARED and not transaction.busy:
            transaction.pending = outcome_of(transaction.record.state)
            self.markers.write(transaction.record, lambda: self._complete(transaction))

    def unloaded(self) -> None:
        """Another broker coordinates now, and tells the partitions."""
        self.markers.close()
        for timer in (self._timeout_scan, self._expiry_scan):
            if timer is not None:
                timer.cancel()

    # -- writing ----------------------------------------------------------------------------------

    def _store(
        self,
        transaction: Transaction,
        transition: Transition,
        respond: Callable[[KafkaError | None], T],
    ) -> Reply[T]:
        """Write one change, of which the asker may lose patience before it is committed.  Nobody else can undo it."""
        refusal = self.refusal()
        if refusal is not None:
            return respond(refusal)
        transaction.expect(transition)
        return self.write([self._encoded(transition.record)], respond)

    def _encoded(self, said: TransactionRecord | TransactionRemoved) -> tuple[bytes, bytes | None]:
        return encode_record(said, self.node.image.transaction_version)

    def _find(self, transactional_id: str | None) -> Transaction:
        """An id that is known here.  Raises INVALID_REQUEST or INVALID_PRODUCER_ID_MAPPING."""
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        transaction = self.transactions.get(transactional_id)
        if transaction is None:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        return transaction

    # -- requests ---------------------------------------------------------------------------------

    def init_producer_id(self, transactional_id: str, claim: Claim) -> Reply[Granted]:
        """Give a client its producer id and epoch; see `fencing`."""
        transaction = self.transactions.get(transactional_id)
        if transaction is None:
            transaction = self.transactions[transactional_id] = Transaction(
                TransactionRecord(transactional_id, self.node.next_producer_id(), timeout_ms=claim.timeout_ms)
            )
        now_ms = self.node.clock.now
        transition = fencing.grant(transaction, claim, now_ms, self.node.next_producer_id)
        if transition is None:
            return then(self.abort(transactional_id), _try_again)

        def respond(error: KafkaError | None) -> Granted:
            record = transition.record
            return Granted(record.producer_id, record.epoch) if error is None else Granted(error=error)

        return self._store(transaction, transition, respond)

    def add_partitions(
        self, transactional_id: str, producer: Identity, places: Sequence[Place], client_version: int
    ) -> Reply[KafkaError | None]:
        """Make partitions part of a transaction, which begins with the first.  None: they are."""
        transaction = self._find(transactional_id)
        transaction.check_idle()
        self._check_usable(transaction, producer)
        record = transaction.record
        if record.state is TxnState.ONGOING and set(places) <= set(record.partitions):
            return None
        transition = transaction.adding(places, self.node.clock.now, client_version)
        return self._store(transaction, transition, lambda error: error)

    def verify_partitions(
        self, transactional_id: str, producer: Identity, places: Iterable[Place]
    ) -> dict[Place, ErrorCode]:
        """Whether partitions are part of a transaction now; TRANSACTION_ABORTABLE for those that are not."""
        transaction = self._find(transactional_id)
        if transaction.inherited:
            raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
        self._check_usable(transaction, producer)
        record = transaction.record
        return {
            place: ErrorCode.NONE if place in record.partitions else ErrorCode.TRANSACTION_ABORTABLE
            for place in places
        }

    @staticmethod
    def _check_usable(transaction: Transaction, producer: Identity) -> None:
        transaction.check_producer(producer[0])
        transaction.check_epoch(producer[1])
        if transaction.record.state in PREPARED:
            raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)

    def end_transaction(self, transactional_id: str, how: Ending) -> Reply[Granted]:
        """Decide how a transaction ends, and give the identity for the next; see `ending`.

        The answer comes when the decision is committed; the partitions are told afterwards.
        """
        transaction = self._find(transactional_id)
        transition = ending.decide(transaction, how, self.node.clock.now, self.node.next_producer_id)
        if transition is None:
            return Granted(transaction.record.producer_id, transaction.record.epoch)
        return self._prepare(transaction, transition)

    def abort(self, transactional_id: str) -> Reply[Granted]:
        """Abort an open transaction and shut its producer out, which learns of it with its next request.

        Raises INVALID_TXN_STATE where none is open.
        """
        transaction = self._find(transactional_id)
        transaction.check_idle()
        if transaction.record.state is not TxnState.ONGOING:
            raise KafkaError(ErrorCode.INVALID_TXN_STATE)
        version = self.node.image.transaction_version
        transition = ending.fence(transaction, version, self.node.clock.now, self.node.next_producer_id)
        return self._prepare(transaction, transition)

    def fence(self, transactional_id: str) -> Reply[Granted]:
        """Give the next epoch to nobody, as if another producer had begun with this id."""
        transaction = self._find(transactional_id)
        return self.init_producer_id(transactional_id, fencing.Claim(transaction.record.timeout_ms))

    def _prepare(self, transaction: Transaction, transition: Transition) -> Reply[Granted]:
        def respond(error: KafkaError | None) -> Granted:
            return Granted(error=error) if error else Granted(*ending.next_identity(transition))

        return self._store(transaction, transition, respond)

    def _complete(self, transaction: Transaction) -> bool:
        """Every partition has its marker, so the transaction is over; False where that cannot be written yet."""
        if self.refusal() is not None:
            return False
        self._store(transaction, ending.complete(transaction, self.node.clock.now), lambda _: None)
        return True

    # -- time -------------------------------------------------------------------------------------

    def _arm_scans(self) -> None:
        """Look from time to time, while there is something to look at."""
        if self._timeout_scan is None and any(
            t.record.state is TxnState.ONGOING for t in self.transactions.values()
        ):
            interval_ms = self.node.config[settings.TRANSACTION_ABORT_CHECK_INTERVAL_MS]
            self._timeout_scan = self.node.call_in(interval_ms, self._abort_overdue)
        if self._expiry_scan is None and self.transactions:
            interval_ms = self.node.config[settings.TRANSACTIONAL_ID_CHECK_INTERVAL_MS]
            self._expiry_scan = self.node.call_in(interval_ms, self._forget_unused)

    def _abort_overdue(self) -> None:
        """Abort what has been open for longer than its producer wanted."""
        self._timeout_scan = None
        if not self.open:
            return
        now_ms = self.node.clock.now
        for name, transaction in self.transactions.items():
            record = transaction.record
            overdue = record.state is TxnState.ONGOING and record.started_ms + record.timeout_ms < now_ms
            if overdue and not transaction.busy:
                self.abort(name)
        self._arm_scans()

    def _forget_unused(self) -> None:
        """Forget ids that nobody has used for transactional.id.expiration.ms."""
        self._expiry_scan = None
        if not self.open:
            return
        oldest_ms = self.node.clock.now - self.node.config[settings.TRANSACTIONAL_ID_EXPIRATION_MS]
        for name, transaction in list(self.transactions.items()):
            record = transaction.record
            if record.state in AT_REST and record.updated_ms <= oldest_ms and not transaction.busy:
                self.forget(name)
        self._arm_scans()

    def forget(self, transactional_id: str) -> Reply[KafkaError | None]:
        """Forget an id whose last transaction is over.  Raises INVALID_TXN_STATE while one is open."""
        transaction = self._find(transactional_id)
        transaction.check_idle()
        if transaction.record.state not in AT_REST:
            raise KafkaError(ErrorCode.INVALID_TXN_STATE)
        if (refusal := self.refusal()) is not None:
            return refusal
        transaction.pending = TxnState.DEAD
        return self.write([self._encoded(TransactionRemoved(transactional_id))], lambda error: error)


def _try_again(aborted: Granted) -> Granted:
    """Whoever met an open transaction comes back when it is over."""
    return Granted(error=aborted.error or KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS))

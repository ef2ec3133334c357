"""The messages between brokers, by Kafka's names.

They carry facts and no behaviour.  The socket between brokers is the one thing that is modelled rather than
real: these are put on Links and delivered by the core's queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.links import CONTROLLER, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mockbroker.core.image import Image, PartitionImage
    from mockbroker.protocol.errors import ErrorCode
    from mockbroker.records.batch import Batch

    # What became of each partition that was asked about.
    TxnVerdicts = Mapping[tuple[str, int], ErrorCode]


class FollowerFetch(Message):
    """A follower asks its leader for what comes next, and thereby says how far it is."""

    __slots__ = (
        "high_watermark", "index", "lag_records", "last_epoch", "leader_epoch", "log_start", "offset", "topic",
        "topic_id",
    )  # fmt: skip

    def __init__(
        self, source: int, target: int, topic: str, index: int, topic_id: bytes, *,
        offset: int, leader_epoch: int, last_epoch: int, high_watermark: int, log_start: int, lag_records: int,
    ) -> None:  # fmt: skip
        super().__init__(source, target)
        self.topic = topic
        self.index = index
        self.topic_id = topic_id
        self.offset = offset
        self.leader_epoch = leader_epoch
        self.last_epoch = last_epoch
        self.high_watermark = high_watermark
        self.log_start = log_start
        # A follower that a test keeps behind asks to be kept behind.
        self.lag_records = lag_records


class FollowerFetchResponse(Message):
    """What the leader has for it: batches, or the news that their histories differ."""

    __slots__ = ("asked", "batches", "diverging", "high_watermark", "leader_range", "out_of_range")

    def __init__(
        self, asked: FollowerFetch, *,
        high_watermark: int, leader_range: tuple[int, int], batches: list[Batch],
        diverging: tuple[int, int] | None = None, out_of_range: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(asked.target, asked.source)
        # Only the answer to a follower's latest fetch counts: an older one speaks of a log that was.
        self.asked = asked
        self.high_watermark = high_watermark
        # Start and end of the leader's log.
        self.leader_range = leader_range
        self.batches = batches
        # (epoch, end offset): the leader's history parts from the follower's there.
        self.diverging = diverging
        self.out_of_range = out_of_range


class AlterPartition(Message):
    """A leader asks the controller to change who is in sync."""

    __slots__ = ("index", "isr", "leader_epoch", "partition_epoch", "topic", "topic_id")

    def __init__(
        self, source: int, topic: str, index: int, topic_id: bytes, *,
        leader_epoch: int, partition_epoch: int, isr: tuple[int, ...],
    ) -> None:  # fmt: skip
        super().__init__(source, CONTROLLER)
        self.topic = topic
        self.index = index
        self.topic_id = topic_id
        self.leader_epoch = leader_epoch
        self.partition_epoch = partition_epoch
        self.isr = isr


class AlterPartitionResponse(Message):
    """The controller's answer: the partition as it is now, or None when the request was refused."""

    __slots__ = ("asked", "partition")

    def __init__(self, asked: AlterPartition, partition: PartitionImage | None) -> None:
        super().__init__(CONTROLLER, asked.source)
        self.asked = asked
        self.partition = partition


class MetadataUpdate(Message):
    """The controller tells a broker what is so now.

    `base` and `changed` let a broker that already has `base` look at the changed topics only; one that
    missed something looks at everything.
    """

    __slots__ = ("base", "changed", "image")

    def __init__(self, target: int, image: Image, base: Image | None, changed: tuple[str, ...]) -> None:
        super().__init__(CONTROLLER, target)
        self.image = image
        self.base = base
        self.changed = changed


class BrokerRegistration(Message):
    """A broker that has just started makes itself known.  `clean`: it had been shut down, not killed."""

    __slots__ = ("clean",)

    def __init__(self, source: int, *, clean: bool) -> None:
        super().__init__(source, CONTROLLER)
        self.clean = clean


class BrokerHeartbeat(Message):
    """A broker that was out of reach is heard of again."""

    __slots__ = ()

    def __init__(self, source: int) -> None:
        super().__init__(source, CONTROLLER)


class LoadCoordinator(Message):
    """A broker tells itself to read a coordinator partition that it has come to lead.

    Until this is delivered the coordinator is loading; a rule that holds it keeps it so.
    """

    __slots__ = ("index", "leader_epoch", "topic")

    def __init__(self, broker: int, topic: str, index: int, leader_epoch: int) -> None:
        super().__init__(broker, broker)
        self.topic = topic
        self.index = index
        self.leader_epoch = leader_epoch


class AddPartitionsToTxn(Message):
    """A broker asks a transaction coordinator whether partitions are part of a transaction, or makes them so.

    `answered` is called with the verdicts when they have come back, see `AddPartitionsToTxnResponse`; `lost` when
    the question or its answer got lost.
    """

    __slots__ = ("add", "answered", "lost", "places", "producer", "transactional_id")

    def __init__(
        self, source: int, target: int, transactional_id: str, producer: tuple[int, int],
        places: tuple[tuple[str, int], ...], *, add: bool, answered: Callable[[TxnVerdicts], None],
        lost: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(source, target)
        self.lost = lost
        self.transactional_id = transactional_id
        self.producer = producer
        self.places = places
        self.add = add
        self.answered = answered


class AddPartitionsToTxnResponse(Message):
    """The coordinator's answer: a verdict for each partition."""

    __slots__ = ("asked", "verdicts")

    def __init__(self, asked: AddPartitionsToTxn, verdicts: TxnVerdicts) -> None:
        super().__init__(asked.target, asked.source)
        self.asked = asked
        self.verdicts = verdicts


class WriteTxnMarkers(Message):
    """A transaction coordinator tells a leader how a transaction ended in one of its partitions.

    Kafka's carries all partitions of a leader at once; one each lets a rule meet one of them.
    """

    __slots__ = (
        "commit", "coordinator_epoch", "coordinator_index", "index", "producer", "round", "topic", "transactional_id",
        "version",
    )  # fmt: skip

    def __init__(
        self, source: int, target: int, transactional_id: str, *, producer: tuple[int, int], commit: bool,
        topic: str, index: int, coordinator_index: int, coordinator_epoch: int, round: int, version: int,
    ) -> None:  # fmt: skip
        super().__init__(source, target)
        self.transactional_id = transactional_id
        self.producer = producer
        self.commit = commit
        self.topic = topic
        self.index = index
        # The coordinator's partition, to which the answer goes, and the term that it decided in.
        self.coordinator_index = coordinator_index
        self.coordinator_epoch = coordinator_epoch
        # Which of the coordinator's transactions this is about: the next one may have the same id and epoch.
        self.round = round
        self.version = version


class WriteTxnMarkersResponse(Message):
    """The leader's answer: whether the marker is written, and what is in its way."""

    __slots__ = ("asked", "verdict")

    def __init__(self, asked: WriteTxnMarkers, verdict: ErrorCode) -> None:
        super().__init__(asked.target, asked.source)
        self.asked = asked
        self.verdict = verdict

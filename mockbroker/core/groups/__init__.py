"""Group coordination: who consumes what, and how far they have come.

    coordination       which partition of `__consumer_offsets` a group belongs to
    records            the bytes of that topic, and what they say
    consumer_protocol  what Java-style consumers put into the opaque bytes of a group
    member  classic    one group: its members, its states, its vote; no time, no log
    rebalancing        the two phases of a rebalance, and the timers that drive them
    joining  syncing   the requests that carry a member through it
    membership         heartbeats, leaving, expiry: how members stay or go
    offsets            committed offsets: what is written, what is safe, what has expired
    history            what happened to a group, for people who ask afterwards
    shard              one partition's groups on the broker that coordinates them

Hard state (what a successor knows) changes only in `GroupShard.replay`; the rest is memory that dies
with its coordinator, as in Kafka.  Consumer groups of KIP-848 get modules of their own beside these.
"""

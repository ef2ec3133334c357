"""Parts that Produce, Fetch and ShareFetch have in common: where the leader has gone (KIP-951).

Their defaults say nothing, so a response that has nothing to tell leaves them out.
"""

from mockbroker.protocol.schema import struct
from mockbroker.protocol.types import Int32


@struct
class LeaderIdAndEpoch:
    """Who leads a partition now; both -1 when there is nothing to say."""

    leader_id: Int32 = -1
    leader_epoch: Int32 = -1


@struct
class NodeEndpoint:
    """Where a leader named in the same response can be reached."""

    node_id: Int32 = 0
    host: str = ""
    port: Int32 = 0
    rack: str | None = None

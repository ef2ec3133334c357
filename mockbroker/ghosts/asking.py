"""Questions that a ghost must have answered within the step, before it can do what the test wants.

Where the answer does not come, because a fault or a gate is in its way or nobody is there to give it, the test is
told so instead of being left waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.ghosts.line import SCRIPT, Lost
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest, MetadataRequest, MetadataTopic

if TYPE_CHECKING:
    from mockbroker.core.node import Node
    from mockbroker.core.world import World
    from mockbroker.ghosts.line import Line


# What a coordinator is asked for.
GROUP, TRANSACTION = 0, 1
_KINDS = {GROUP: "group", TRANSACTION: "transactional id"}


class Asker:
    """One ghost that asks because the test wants it to."""

    def __init__(self, world: World, line: Line, client_id: str) -> None:
        self._world = world
        self._line = line
        self._client_id = client_id

    def ask(self, api: str, node: Node, request: Any, version: int) -> Any:
        """The answer to a request."""
        ticket = self._line.ask(node, request, version, lane=SCRIPT)
        self._world.settle()
        if not ticket.done:
            raise UsageError(f"{self._client_id} has no answer to its {api} yet: {ticket.why}")
        if isinstance(ticket.result, Lost):
            raise UsageError(f"{self._client_id} got no answer to its {api}: {ticket.result.why}")
        return ticket.result

    def any_broker(self) -> Node:
        """A broker that can be asked."""
        for node in self._world.nodes.values():
            if node.up and not node.paused:
                return node
        raise UsageError("no broker is running: restart() one first")

    def partitions(self, topic: str) -> dict[int, int]:
        """The leader of each partition of a topic, -1 for none, as metadata tells it."""
        request = MetadataRequest(topics=[MetadataTopic(name=topic)], allow_auto_topic_creation=False)
        (described,) = self.ask("Metadata", self.any_broker(), request, 9).topics
        if described.error_code:
            code = ErrorCode(described.error_code)
            raise UsageError(f"{self._client_id} cannot use topic {topic!r}: {code.name}; create() it first")
        return {part.partition_index: part.leader_id for part in described.partitions}

    def leader(self, topic: str, index: int) -> Node:
        """The broker that leads a partition, as metadata tells it."""
        leaders = self.partitions(topic)
        if index not in leaders:
            raise UsageError(f"topic {topic!r} has no partition {index}: it has {len(leaders)}, from 0 up")
        node = self._world.nodes.get(leaders[index])
        if node is None:
            raise UsageError(f"{topic}-{index} has no leader now: nobody can be asked")
        return node

    def coordinator(self, key: str, kind: int = GROUP) -> Node:
        """The broker that looks after a group or a transactional id, as any broker tells it."""
        request = FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
        (only,) = self.ask("FindCoordinator", self.any_broker(), request, 4).coordinators
        if only.error_code:
            raise UsageError(
                f"{self._client_id} finds no coordinator of {_KINDS[kind]} {key!r}: {ErrorCode(only.error_code).name}"
            )
        return self._world.nodes[only.node_id]

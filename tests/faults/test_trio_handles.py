"""The same handles in a trio test: their waits are awaited."""

from __future__ import annotations

import pytest
import trio

from mockbroker import WaitTimeout, open_cluster
from mockbroker.handles.armed import TrioFault, TrioGate
from tests.server.wire import framed, produce


def test_waits_are_awaited() -> None:
    async def story() -> None:
        async with open_cluster(brokers=1, topics={"orders": 1}) as cluster:
            gate = cluster.faults.on("Produce").hold()
            assert isinstance(gate, TrioGate)
            denied = cluster.faults.after("Produce", nth=1).disconnect()
            assert isinstance(denied, TrioFault)
            with pytest.raises(WaitTimeout, match="armed but never hit"):
                await denied.wait_hit(timeout="1ms")
            stream = await trio.open_tcp_stream(*cluster.server.addresses[1])
            async with stream:
                await stream.send_all(framed(produce("orders", b"x"), 9))
                (held,) = await gate.wait_arrived()
                assert held.client_id == "test"
                gate.release()
                assert await denied.wait_hit() == 1
            assert cluster.topic("orders").values() == [b"x"]

    trio.run(story)

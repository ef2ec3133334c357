"""The adapters themselves: a client asks for what its story says.

A broker in one process commits at once, so a story about acks that is told with other acks comes out well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.clients.programs import Missing
from conformance.clients.roster import Troupe
from conformance.clients.stories import records
from conformance.clients.test_stories import CLIENTS
from conformance.clients.verbs import Need, Sending
from mockbroker import Cluster
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api

MANNERS = (
    (Sending(acks="0"), 0),
    (Sending(acks="1"), 1),
    (Sending(acks="all"), -1),
    (Sending(idempotent=True), -1),
)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_sends_the_acks_that_the_story_wants(
    name: str, troupe: Troupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce, asked = HANDLERS[Api.PRODUCE], set()

    def overhear(call: Any, node: Any) -> Any:
        asked.add(call.body.acks)
        return produce.answer(call, node)

    monkeypatch.setitem(HANDLERS, Api.PRODUCE, replace(produce, answer=overhear))
    try:
        with Cluster(brokers=3) as cluster, troupe.client(name, cluster.bootstrap) as client:
            cluster.topic("orders").create()
            for sent, (how, acks) in enumerate(MANNERS, start=1):
                if how.idempotent and Need.IDEMPOTENCE in client.lacks:
                    continue
                client.produce("orders", records("a"), how)
                cluster.topic("orders").wait_records(sent)
                assert asked == {acks}, f"{how} was sent with acks {asked}"
                asked.clear()
    except Missing as missing:
        pytest.skip(str(missing))

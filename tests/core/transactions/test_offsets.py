"""Offsets that move with a transaction, and groups and topics that are gone before it ends."""

from __future__ import annotations

import pytest

from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import (
    OffsetDeletePartition,
    OffsetDeleteRequest,
    OffsetDeleteTopic,
)
from mockbroker.protocol.messages.offsets import (
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
)
from tests.core.simulation import TOPIC, Simulation
from tests.core.transactions.payer import GROUP, Payer, code, coordinated


def committed(sim: Simulation, payer: Payer) -> int:
    wanted = OffsetFetchGroup(
        group_id=GROUP, topics=[OffsetFetchGroupTopic(name=TOPIC, partition_indexes=[0])]
    )
    answer = sim.ask(OffsetFetchRequest(groups=[wanted]), to=payer.group_leader(), version=9).response
    (group,) = answer.groups
    return int(group.topics[0].partitions[0].committed_offset)


def kept(payer: Payer, offset: int) -> None:
    assert code(payer.add_offsets()) == "NONE"
    assert code(payer.keep(offset)) == "NONE"


@pytest.mark.parametrize("earlier", [None, 3])
@pytest.mark.parametrize("gone", ["group", "topic", "offset"])
def test_offsets_of_what_is_deleted_do_not_come_back_with_a_commit(
    sim: Simulation, payer: Payer, earlier: int | None, gone: str
) -> None:
    if earlier is not None:
        kept(payer, earlier)
        payer.end()
        assert committed(sim, payer) == earlier
    kept(payer, 5)
    if gone == "group":
        asked = sim.ask(Api.DELETE_GROUPS.request(groups_names=[GROUP]), to=payer.group_leader())
        assert asked.response.results[0].error_code == ErrorCode.NONE
    elif gone == "offset":
        where = OffsetDeleteTopic(name=TOPIC, partitions=[OffsetDeletePartition(partition_index=0)])
        asked = sim.ask(OffsetDeleteRequest(group_id=GROUP, topics=[where]), to=payer.group_leader())
        assert asked.response.error_code == ErrorCode.NONE
    else:
        sim.delete()
        sim.topic()
    assert committed(sim, payer) == -1
    assert code(payer.end()) == "NONE"
    assert committed(sim, payer) == -1
    sim.world.crash(payer.group_leader(), 0)
    assert committed(sim, payer) == -1


def test_offsets_that_may_yet_move_do_not_expire() -> None:
    sim = Simulation(config={"offsets.retention.minutes": 1})
    sim.topic()
    coordinated(sim)
    payer = Payer(sim)
    payer.begin(timeout_ms=900_000)
    kept(payer, 3)
    payer.end()
    kept(payer, 5)
    sim.advance(700_000)
    assert committed(sim, payer) == 3
    assert code(payer.end(commit=False)) == "NONE"
    sim.advance(700_000)
    assert committed(sim, payer) == -1

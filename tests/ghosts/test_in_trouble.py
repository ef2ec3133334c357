"""Coordinators die, stand still and refuse, answers get lost: a ghost does what a well-behaved client does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mockbroker import KafkaError
from mockbroker.core.outcomes import Altered, Refused
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.ghosts.member import Phase
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from tests.ghosts.haunted import SESSION_MS, Haunted, every, nth, owned
from tests.server.wire import Meddling

MINUTE_MS = 60_000


@pytest.fixture
def house() -> Haunted:
    return Haunted()


def test_ghosts_follow_their_group_to_another_coordinator(house: Haunted) -> None:
    ghosts = [house.join(), house.join()]
    house.act(lambda: house.world.crash(house.coordinator()))
    assert {ghost.generation for ghost in ghosts} == {house.group().generation}
    assert {ghost.node.id for ghost in ghosts if ghost.node} == {house.coordinator()}
    assert owned(ghosts) == every()
    house.world.clock.freeze()
    house.world.clock.advance(60 * MINUTE_MS)
    assert len(house.group().members) == 2


def test_a_parked_join_is_sent_again_to_the_next_coordinator(house: Haunted) -> None:
    first, second = house.join(), house.join()
    second.be_silent()
    third = house.join()
    house.act(lambda: house.world.crash(house.coordinator()))
    house.act(second.speak)
    assert house.group().state == "Stable"
    assert owned([first, second, third]) == every()


def test_a_leader_that_metadata_was_refused_asks_until_it_knows_and_assigns_everything_anew() -> None:
    faults = Meddling()
    house = Haunted(faults=faults)
    refused = Refused(KafkaError(ErrorCode.LEADER_NOT_AVAILABLE))

    def metadata_is_refused(call: Any, _node: Any) -> Any:
        return refused if call.api is Api.METADATA else None

    faults._before = metadata_is_refused  # noqa: SLF001 - our own tool
    ghosts = [house.join(), house.join()]
    house.world.clock.freeze()
    for _ in range(20):
        house.world.patience.advance(100)
        house.world.clock.advance(SESSION_MS // 2)
    assert owned(ghosts) == []
    assert house.group().generation == 2  # it asks for partitions, and leaves its group in peace
    house.act(lambda: house.world.controller.add_partitions("orders", [[1, 2, 3]]))
    faults.armed = False
    house.world.patience.advance(100)
    assert owned(ghosts) == every(count=7)
    settled = house.group().generation
    house.world.patience.advance(MINUTE_MS)
    assert house.group().generation == settled


def test_ghosts_that_undo_what_the_others_have_done_do_not_go_round_in_one_step() -> None:
    faults = Meddling()
    house = Haunted(faults=faults)
    ghosts = [house.join(assignor="sticky") for _ in range(4)]
    asked = itertools.count()

    def every_second_is_lost(call: Any, _node: Any, response: Any) -> Any:
        return Disconnect("lost") if call.api is Api.SYNC_GROUP and next(asked) % 2 else response

    faults._after = every_second_is_lost  # noqa: SLF001 - our own tool
    house.act(ghosts.pop().leave)  # and this step has an end
    faults.armed = False
    house.world.patience.advance(MINUTE_MS)
    assert owned(ghosts) == every()


def test_ghosts_wait_while_nobody_coordinates_and_go_on_at_once_when_somebody_does(house: Haunted) -> None:
    ghosts = [house.join(), house.join()]
    for broker in (1, 2, 3):
        house.act(lambda broker=broker: house.world.crash(broker))  # type: ignore[misc] # a lambda that keeps its number
    house.world.patience.advance(MINUTE_MS)
    for broker in (3, 2, 1):
        house.act(lambda broker=broker: house.world.restart(broker))  # type: ignore[misc] # as above
    assert house.group().state == "Stable"
    assert owned(ghosts) == every()


def test_ghosts_leave_a_coordinator_that_stands_still_once_there_is_another(house: Haunted) -> None:
    ghosts = [house.join(), house.join()]
    paused = house.coordinator()
    house.act(lambda: house.world.pause(paused))
    house.world.clock.advance(MINUTE_MS)  # beyond heartbeats and broker.session.timeout.ms
    assert house.coordinator() != paused
    assert {ghost.node.id for ghost in ghosts if ghost.node} == {house.coordinator()}
    assert owned(ghosts) == every()
    house.act(lambda: house.world.resume(paused))
    assert house.group().state == "Stable"


@pytest.mark.parametrize("api", [Api.FIND_COORDINATOR, Api.JOIN_GROUP, Api.SYNC_GROUP, Api.HEARTBEAT])
@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.ILLEGAL_GENERATION,
    ],
)
def test_a_ghost_gets_over_an_error_that_passes(api: Api, code: ErrorCode) -> None:
    refused = Refused(KafkaError(code))
    house = Haunted(faults=Meddling(before=nth(api, (1, 3), refused)))
    ghosts = [house.join(), house.join()]
    for _ in range(4):  # it may have to wait for what it was before, which the coordinator still knows
        house.world.patience.advance(1_000)
        house.world.clock.advance(SESSION_MS)
    assert house.group().state == "Stable"
    assert {ghost.generation for ghost in ghosts} == {house.group().generation}
    assert owned(ghosts) == every()


@pytest.mark.parametrize(
    "outcome",
    [
        Disconnect("a fault"),
        Altered(None, damage=lambda data: data[::-1]),
        Ticket("a dropped answer"),
    ],
    ids=["disconnect", "damaged", "dropped"],
)
@pytest.mark.parametrize("api", [Api.FIND_COORDINATOR, Api.JOIN_GROUP, Api.SYNC_GROUP])
def test_a_ghost_gets_over_an_answer_that_never_came(api: Api, outcome: object) -> None:
    house = Haunted(faults=Meddling(before=nth(api, (1,), outcome)))
    ghost = house.join()
    house.world.patience.advance(2 * MINUTE_MS)
    assert ghost.phase is Phase.MEMBER
    assert ghost.places() == every()


def test_a_fault_that_lasts_makes_a_ghost_pause_between_its_attempts() -> None:
    lasting = Refused(KafkaError(ErrorCode.NOT_COORDINATOR))
    faults = Meddling(before=lambda call, _node: lasting if call.api is Api.JOIN_GROUP else None)
    house = Haunted(faults=faults)
    ghost = house.join()
    at_once = len(house.asked(ghost))
    assert at_once < 12
    house.world.patience.advance(1_000)
    assert at_once < len(house.asked(ghost)) < at_once + 30
    faults.armed = False
    house.world.clock.freeze()  # its pauses are by the clients' time
    house.world.patience.advance(200)
    assert ghost.places() == every()


def test_an_answer_that_mutes_the_connection_holds_back_what_follows(house: Haunted) -> None:
    mute: Ticket[None] = Ticket("throttled")
    seen = list[object]()

    def after(call: object, _node: object, response: object) -> object:
        if getattr(call, "api", None) is Api.JOIN_GROUP and not seen:
            seen.append(call)
            return Altered(response, mute=mute)
        return response

    house = Haunted(faults=Meddling(after=after))
    ghost = house.join()
    assert repr(ghost).endswith(" in billing: joining>")
    assert house.ghosts.waits() == []
    house.act(lambda: mute.resolve(None))
    assert ghost.phase is Phase.MEMBER


def test_a_held_request_says_what_it_waits_for(house: Haunted) -> None:
    gate: Ticket[None] = Ticket("a gate")
    house = Haunted(faults=Meddling(before=nth(Api.SYNC_GROUP, (1,), gate)))
    ghost = house.join()
    assert house.ghosts.waits() == ["ghost-1: a gate"]
    house.act(lambda: gate.resolve(None))
    assert ghost.phase is Phase.MEMBER

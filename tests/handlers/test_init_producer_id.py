"""InitProducerId without transactions: an id for everybody who asks."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.transactions import InitProducerIdRequest, InitProducerIdResponse
from tests.core.simulation import Simulation


def init(sim: Simulation, *, to: int = 1, **how: Any) -> InitProducerIdResponse:
    body = InitProducerIdRequest(**{"transactional_id": None, **how})
    response: InitProducerIdResponse = sim.ask(body, to=to, version=5).response
    return response


def given(response: InitProducerIdResponse) -> tuple[int, int, int]:
    return response.error_code, response.producer_id, response.producer_epoch


def test_everybody_gets_another_id_and_epoch_0(sim: Simulation) -> None:
    answers = [given(init(sim, to=broker)) for broker in (1, 2, 1, 3)]
    assert {(code, epoch) for code, _, epoch in answers} == {(ErrorCode.NONE, 0)}
    assert len({producer_id for _, producer_id, _ in answers}) == 4
    assert answers[0][1] == 0


@pytest.mark.parametrize("timeout_ms", [0, -1, 2**31 - 1])
def test_a_timeout_is_nothing_to_a_producer_without_transactions(sim: Simulation, timeout_ms: int) -> None:
    assert init(sim, transaction_timeout_ms=timeout_ms).error_code == ErrorCode.NONE


def test_an_id_and_epoch_that_are_given_are_not_given_back(sim: Simulation) -> None:
    first = init(sim)
    again = init(sim, producer_id=first.producer_id, producer_epoch=0)
    assert (again.error_code, again.producer_epoch) == (ErrorCode.NONE, 0)
    assert again.producer_id != first.producer_id


@pytest.mark.parametrize("half", [{"producer_id": 5}, {"producer_epoch": 0}, {"transactional_id": ""}])
def test_half_of_it_is_invalid(sim: Simulation, half: dict[str, Any]) -> None:
    assert given(init(sim, **half)) == (ErrorCode.INVALID_REQUEST, -1, -1)


def test_ids_of_a_broker_that_crashed_are_not_given_again(sim: Simulation) -> None:
    before = init(sim).producer_id
    sim.world.crash(1)
    sim.world.restart(1)
    assert init(sim).producer_id > before


def test_a_transactional_id_has_a_coordinator_and_any_other_broker_says_so(sim: Simulation) -> None:
    assert given(init(sim, transactional_id="mine")) == (ErrorCode.NOT_COORDINATOR, -1, -1)

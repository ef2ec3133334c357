"""ApiVersions: the one request that is answered in any version, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.links import CONTROLLER
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.metadata import ApiVersionsRequest, ApiVersionsResponse
from tests.core.simulation import Simulation


def ask(sim: Simulation, version: int = 4, *, to: int = 1, **how: Any) -> ApiVersionsResponse:
    named = {"client_software_name": "test", "client_software_version": "1.0", **how}
    response: ApiVersionsResponse = sim.ask(ApiVersionsRequest(**named), to=to, version=version).response
    return response


@pytest.mark.parametrize("version", range(6))
def test_what_is_served_is_listed_in_the_order_of_its_numbers(sim: Simulation, version: int) -> None:
    listed = ask(sim, version).api_keys
    assert [key.api_key for key in listed] == sorted(HANDLERS)
    served = {key.api_key: (key.min_version, key.max_version) for key in listed}
    # Produce says 0 and serves from 3: older clients take the 0 for a sign that they may compress.
    assert served[Api.PRODUCE] == (0, 13)
    assert served[Api.FETCH] == (4, 18)
    assert HANDLERS[Api.PRODUCE].serves(3)
    assert not HANDLERS[Api.PRODUCE].serves(2)


@pytest.mark.parametrize(
    ("name", "software_version"),
    [("a b", "1"), ("", "1"), ("a", ""), ("-a", "1"), ("a", "1-"), ("a", "1 2"), ("a\n", "1")],
)
def test_a_name_that_is_none_is_invalid(sim: Simulation, name: str, software_version: str) -> None:
    response = ask(sim, client_software_name=name, client_software_version=software_version)
    assert (response.error_code, response.api_keys) == (ErrorCode.INVALID_REQUEST, [])
    assert (response.finalized_features_epoch, response.supported_features) == (-1, [])


def test_a_release_candidate_is_a_version(sim: Simulation) -> None:
    assert ask(sim, client_software_version="2.3.0-RC1").error_code == ErrorCode.NONE


def test_features_that_may_be_off_are_for_those_who_can_read_them(sim: Simulation) -> None:
    assert [feature.name for feature in ask(sim, 3).supported_features] == ["metadata.version"]
    newer = {feature.name: feature.min_version for feature in ask(sim, 4).supported_features}
    assert newer["eligible.leader.replicas.version"] == 0
    for version in (3, 4):
        finalized = [feature.name for feature in ask(sim, version).finalized_features]
        assert "eligible.leader.replicas.version" in finalized


def test_the_epoch_of_features_grows_with_the_metadata_that_a_broker_knows(sim: Simulation) -> None:
    sim.world.links.slow(2, CONTROLLER, 100)
    before = ask(sim, to=1).finalized_features_epoch
    sim.topic("another")
    assert ask(sim, to=1).finalized_features_epoch > before
    assert ask(sim, to=2).finalized_features_epoch == before


def test_a_client_that_went_astray_is_told_to_begin_anew(sim: Simulation) -> None:
    cluster_id = sim.world.controller.image.cluster_id
    assert ask(sim, 5, cluster_id=cluster_id, node_id=1).error_code == ErrorCode.NONE
    astray: list[dict[str, Any]] = [
        {"cluster_id": "another", "node_id": 1},
        {"cluster_id": cluster_id, "node_id": 2},
    ]
    for elsewhere in astray:
        assert ask(sim, 5, **elsewhere).error_code == ErrorCode.REBOOTSTRAP_REQUIRED

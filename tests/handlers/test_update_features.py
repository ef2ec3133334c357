"""UpdateFeatures: which levels may be asked for, and what a cluster does whose eligible replicas are off."""

from __future__ import annotations

import pytest

from mockbroker.core.image import NO_LEADER
from mockbroker.core.links import CONTROLLER
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.cluster import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from mockbroker.protocol.messages.metadata import ApiVersionsRequest
from tests.handlers.admin import BROKER, DELETE, Admin

DYNAMIC_BROKER, DYNAMIC_DEFAULT = 2, 3
METADATA, ELR = "metadata.version", "eligible.leader.replicas.version"
TRANSACTIONS = "transaction.version"
UPGRADE, SAFE, UNSAFE = 1, 2, 3
NONE, REFUSED = ErrorCode.NONE, ErrorCode.INVALID_UPDATE_VERSION
IN_SYNC = "min.insync.replicas"


def asking(*changes: tuple[str, int, int], validate_only: bool = False) -> UpdateFeaturesRequest:
    """Changes as (name, level, how)."""
    updates = [
        FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=way)
        for name, level, way in changes
    ]
    return UpdateFeaturesRequest(feature_updates=updates, validate_only=validate_only)


def update(admin: Admin, *changes: tuple[str, int, int], version: int = 2) -> UpdateFeaturesResponse:
    response: UpdateFeaturesResponse = admin.ask(asking(*changes), version)
    return response


def finalized(admin: Admin, broker: int = 1) -> dict[str, int]:
    """The levels that a broker tells."""
    asked = ApiVersionsRequest(client_software_name="test", client_software_version="1")
    listed = admin.ask(asked, 4, broker).finalized_features
    return {feature.name: feature.max_version_level for feature in listed}


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ([(METADATA, 33, UPGRADE)], NONE, None),
        ([(METADATA, 33, SAFE)], NONE, None),
        ([(METADATA, 34, UPGRADE)], REFUSED, "only supports versions 7-33"),
        ([(METADATA, 6, SAFE)], REFUSED, "only supports versions 7-33"),
        ([(METADATA, -1, SAFE)], REFUSED, "less than 0"),
        ([(METADATA, 32, UPGRADE)], REFUSED, "upgrade types for downgrades"),
        ([(METADATA, 32, SAFE)], REFUSED, "might delete metadata"),
        ([(METADATA, 32, UNSAFE)], REFUSED, "might delete metadata"),
        ([(ELR, 0, SAFE)], NONE, None),
        ([(ELR, 0, UNSAFE)], NONE, None),
        ([(ELR, 0, UPGRADE)], REFUSED, "upgrade types for downgrades"),
        ([(ELR, 1, 0)], REFUSED, "does not support the given upgrade type"),
        ([(ELR, 2, UPGRADE)], REFUSED, "only supports versions 0-1"),
        ([("no.such.thing", 1, UPGRADE)], REFUSED, "does not support this feature"),
        ([], NONE, None),
    ],
)
def test_a_level_must_be_known_and_be_reached_as_it_is_said(
    changes: list[tuple[str, int, int]], code: ErrorCode, says: str | None
) -> None:
    answer = update(Admin(), *changes)
    assert answer.error_code == code
    assert answer.error_message is None if says is None else says in (answer.error_message or "")


def test_every_broker_tells_of_the_new_level_and_of_none_that_is_off() -> None:
    admin = Admin()
    assert finalized(admin) == {METADATA: 33, ELR: 1, TRANSACTIONS: 2}
    update(admin, (ELR, 0, SAFE))
    assert [finalized(admin, broker) for broker in (1, 2, 3)] == [{METADATA: 33, TRANSACTIONS: 2}] * 3
    assert update(admin, (ELR, 1, SAFE)).error_code == REFUSED
    update(admin, (ELR, 1, UPGRADE))
    assert finalized(admin) == {METADATA: 33, ELR: 1, TRANSACTIONS: 2}


def test_a_cluster_that_is_reset_has_its_first_levels_again() -> None:
    admin = Admin()
    update(admin, (ELR, 0, SAFE))
    admin.world.controller.clear_configs()
    admin.world.settle()
    assert finalized(admin)[ELR] == 1


def test_one_that_is_wrong_keeps_the_others_from_being_changed() -> None:
    admin = Admin()
    assert update(admin, (ELR, 0, SAFE), ("no.such.thing", 1, UPGRADE)).error_code == REFUSED
    assert finalized(admin)[ELR] == 1


def test_what_is_only_validated_is_not_changed() -> None:
    admin = Admin()
    assert admin.ask(asking((ELR, 0, SAFE), validate_only=True), 2).error_code == NONE
    assert finalized(admin)[ELR] == 1


def test_older_versions_list_each_feature_that_is_named_and_none_when_it_went_wrong() -> None:
    admin = Admin()
    listed = update(admin, (ELR, 1, UPGRADE), (ELR, 1, SAFE), version=1).results
    assert [(result.feature, result.error_code, result.error_message) for result in listed] == [
        (ELR, NONE, "NONE")
    ] * 2
    assert update(admin, ("no.such.thing", 1, UPGRADE), version=1).results == []


def test_in_version_0_nothing_goes_down() -> None:
    lower = FeatureUpdateKey(feature=ELR, max_version_level=0, allow_downgrade=True)
    assert Admin().ask(UpdateFeaturesRequest(feature_updates=[lower]), 0).error_code == REFUSED


def test_without_a_controller_the_request_runs_out_of_time() -> None:
    admin = Admin()
    admin.world.links.cut(1, CONTROLLER)
    ticket = admin.begin(UpdateFeaturesRequest(timeout_ms=500))
    admin.world.patience.advance(500)
    assert ticket.result.error_code == ErrorCode.REQUEST_TIMED_OUT


# -- what hangs on eligible leader replicas ---------------------------------------------------------


def test_without_elr_a_broker_may_have_its_own_minimum_in_sync_and_the_default_may_go() -> None:
    admin = Admin()
    update(admin, (ELR, 0, SAFE))
    assert admin.alter(BROKER, "1", IN_SYNC, "2").error_code == NONE
    assert admin.alter(BROKER, "", IN_SYNC, None, DELETE).error_code == NONE


def test_with_elr_again_all_brokers_have_one_minimum_in_sync() -> None:
    admin = Admin()
    update(admin, (ELR, 0, SAFE))
    admin.alter(BROKER, "1", IN_SYNC, "2")
    admin.alter(BROKER, "", IN_SYNC, None, DELETE)
    assert admin.value(BROKER, "1", IN_SYNC) == ("2", DYNAMIC_BROKER)
    update(admin, (ELR, 1, UPGRADE))
    assert admin.value(BROKER, "1", IN_SYNC) == ("1", DYNAMIC_DEFAULT)
    assert admin.alter(BROKER, "1", IN_SYNC, "2").error_code == ErrorCode.INVALID_CONFIG


def test_with_elr_again_the_minimum_that_all_had_stays() -> None:
    admin = Admin()
    admin.alter(BROKER, "", IN_SYNC, "3")
    for level, way in ((0, SAFE), (1, UPGRADE)):
        update(admin, (ELR, level, way))
        assert admin.value(BROKER, "1", IN_SYNC) == ("3", DYNAMIC_DEFAULT)


def test_without_elr_the_last_in_sync_is_waited_for_whatever_it_was_killed_by() -> None:
    admin = Admin()
    admin.create("orders", -1, -1, {0: [1, 3]}, min_insync_replicas="2")
    admin.create("alone", -1, -1, {0: [3]})
    update(admin, (ELR, 0, SAFE))

    def replicas(topic: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        partition = admin.world.controller.image.topics[topic].partitions[0]
        return partition.leader, partition.isr, partition.elr

    admin.world.crash(3)
    admin.world.settle()
    assert replicas("orders") == (1, (1,), ())
    assert replicas("alone") == (NO_LEADER, (3,), ())
    admin.world.restart(3)
    admin.world.settle()
    assert replicas("alone") == (3, (3,), ())

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker import Cluster, UsageError
from mockbroker.core import settings
from mockbroker.options import ClusterOptions, GivenOptions, duration_ms, new_seed


@pytest.mark.parametrize(
    ("duration", "milliseconds"),
    [
        ("45s", 45_000),
        ("200ms", 200),
        ("1.5s", 1_500),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("7d", 604_800_000),
        (" 3 s ", 3_000),
        (2, 2_000),
        (0.25, 250),
        (0, 0),
    ],
)
def test_a_duration_is_text_with_a_unit_or_a_number_of_seconds(
    duration: str | float, milliseconds: int
) -> None:
    assert duration_ms(duration) == milliseconds


@pytest.mark.parametrize("wrong", ["", "45", "s", "45 seconds", "-1s", "1e3s", None, True, [], b"1s"])
def test_what_is_no_duration_is_refused_with_what_would_be_one(wrong: Any) -> None:
    said = "is no duration: write '45s', '200ms', '2m', '1h', '7d', or a number of seconds"
    with pytest.raises(UsageError, match=re.escape(f"{wrong!r} {said}")):
        duration_ms(wrong)


@pytest.mark.parametrize("wrong", [-1, -0.5, float("inf"), float("nan")])
def test_a_number_of_seconds_is_finite_and_not_negative(wrong: float) -> None:
    with pytest.raises(UsageError, match=f"{wrong!r} is no duration: give a number of seconds from 0 up"):
        duration_ms(wrong)


@given(st.text(max_size=8))
def test_reading_a_duration_raises_nothing_but_usage_errors(text: str) -> None:
    with suppress(UsageError):
        assert duration_ms(text) >= 0


def test_brokers_are_numbered_from_1_or_have_the_ids_they_are_given() -> None:
    assert ClusterOptions().node_ids == (1, 2, 3)
    assert ClusterOptions(brokers=1).node_ids == (1,)
    assert ClusterOptions(brokers=[7, 0]).node_ids == (7, 0)
    assert ClusterOptions(brokers=range(2)).node_ids == (0, 1)


def test_topics_are_named_with_their_partitions_or_have_one_each() -> None:
    assert ClusterOptions(topics={"orders": 6}).first_topics == {"orders": 6}
    assert ClusterOptions(topics=["orders", "bills"]).first_topics == {"orders": 1, "bills": 1}


def test_racks_ports_and_settings_reach_the_brokers() -> None:
    options = ClusterOptions(
        brokers=[4, 5], racks=["a", "b"], ports=[0, 1_234], config={"group.max.size": 3}, defaults="kafka"
    )
    assert options.port_of == {4: 0, 5: 1_234}
    world = options.new_world(7)
    assert [node.rack for node in world.nodes.values()] == ["a", "b"]
    assert world.nodes[4].config[settings.GROUP_MAX_SIZE] == 3
    assert world.nodes[4].config[settings.GROUP_INITIAL_REBALANCE_DELAY_MS] == 3_000


def test_friendly_defaults_spare_a_test_the_waits() -> None:
    world = ClusterOptions().new_world(7)
    assert world.nodes[1].config[settings.GROUP_INITIAL_REBALANCE_DELAY_MS] == 0


def test_what_is_set_wins_over_friendly_defaults() -> None:
    world = ClusterOptions(config={"group.initial.rebalance.delay.ms": "1500"}).new_world(7)
    assert world.nodes[1].config[settings.GROUP_INITIAL_REBALANCE_DELAY_MS] == 1_500


def test_one_seed_makes_the_same_ids_again() -> None:
    one, same, other = (ClusterOptions().new_world(seed) for seed in (1, 1, 2))
    assert one.controller.image.cluster_id == same.controller.image.cluster_id
    assert one.controller.image.cluster_id != other.controller.image.cluster_id
    assert new_seed() != new_seed()


def test_type_checkers_and_the_checked_options_know_the_same_arguments() -> None:
    assert tuple(GivenOptions.__annotations__) == ClusterOptions.__slots__


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"brokers": 0}, "brokers=0: give a number from 1 to 1000, or distinct ids from 0 up"),
        ({"brokers": 10**12}, "brokers=1000000000000: give a number from 1 to 1000"),
        ({"brokers": []}, "brokers=[]: give a number from 1 to 1000, or distinct ids from 0 up"),
        ({"brokers": [1, 1]}, "brokers=[1, 1]: give a number from 1 to 1000, or distinct ids from 0 up"),
        ({"brokers": [-1]}, "brokers=[-1]: give a number from 1 to 1000, or distinct ids from 0 up"),
        ({"brokers": [2**31]}, "brokers=[2147483648]: give a number from 1 to 1000"),
        ({"brokers": "3"}, "brokers='3': expected a number, or a list of ids"),
        ({"brokers": True}, "brokers=True: expected a number, or a list of ids"),
        ({"brokers": [1, "2"]}, "brokers=[1, '2']: expected a number, or a list of ids"),
        ({"topics": "orders"}, "topics='orders': expected {name: partitions}, or a list of names"),
        ({"topics": {"orders": "6"}}, "topics={'orders': '6'}: expected {name: partitions}"),
        ({"version": "3.9"}, "version='3.9': mockbroker emulates Kafka 4.4 and no other release yet"),
        ({"seed": "7"}, "seed='7': expected a whole number"),
        ({"config": "a=b"}, "config='a=b': expected {setting: value}, by Kafka's names"),
        ({"config": {"no.such.setting": 1}}, "no.such.setting"),
        ({"config": {"group.max.size": "many"}}, "group.max.size"),
        ({"defaults": "fast"}, "defaults='fast': expected 'friendly' or 'kafka'"),
        ({"racks": ["a"]}, "racks has 1 entries for 3 brokers: give one for each"),
        ({"racks": "abc"}, "racks='abc': expected a list with the rack of each broker"),
        ({"ports": [1]}, "ports has 1 entries for 3 brokers: give one for each"),
        ({"ports": 9092}, "ports=9092: expected a list with the port of each broker, 0 to 65535"),
        ({"ports": [1, 2, 65_536]}, "expected a list with the port of each broker, 0 to 65535"),
        ({"wait": "soon"}, "'soon' is no duration"),
        ({"history": 0}, "history=0: expected True, or False to keep none"),
        ({"strict_faults": None}, "strict_faults=None: expected True, or False to let them be idle"),
        ({"log_wire": 1}, "log_wire=1: expected True for standard error, or a file"),
        (
            {"broker": 3, "topcis": {}},
            "no cluster option 'broker', 'topcis': there are brokers, topics, version, seed, config, defaults",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence_before_anything_is_opened(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Cluster(**given)

"""Rules as data: JSON and TOML say what the methods say, and what makes no sense is refused the same way."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode
from tests.faults.meddling import Meddled

WRITTEN = """
[[faults]]
name = "lost ack"
after = "Produce"
topic = "orders"
nth = 1
do = "disconnect"

[[faults]]
on = ["JoinGroup", "SyncGroup"]
group = ["billing", "audit"]
client_id = "c2"
times = 2
do = "fail"
error = "NOT_COORDINATOR"
optional = true

[[faults]]
between = "MetadataUpdate"
to = [2, 3]
source = "controller"
do = "delay"
duration = "1.5s"

[[faults]]
on = "*"
broker = 2
do = "hold"
"""


def test_toml_is_read_as_the_methods_would_have_said_it(sim: Meddled) -> None:
    loaded = sim.faults.load(tomllib.loads(WRITTEN))
    assert [str(fault._core.rule) for fault in loaded] == [  # noqa: SLF001 - what it was made of
        "after Produce topic=orders nth=1: disconnect",
        "on JoinGroup or SyncGroup group=billing|audit client_id=c2 times=2: fail NOT_COORDINATOR",
        "between MetadataUpdate to=2|3 source=-1: delay 1.5s",
        "on * broker=2: hold",
    ]
    assert next(fault.name for fault in loaded) == "lost ack"
    assert [fault.optional for fault in loaded] == [False, True, False, False]
    assert type(loaded[-1]).__name__ == "Gate"


def test_what_is_dumped_can_be_loaded_and_dumped_again(sim: Meddled) -> None:
    sim.faults.load(tomllib.loads(WRITTEN))
    dumped = sim.faults.dump()
    again = Meddled()
    again.faults.load(json.loads(json.dumps(dumped)))
    assert again.faults.dump() == dumped
    assert [fault.rule for fault in again.book] == [fault.rule for fault in sim.book]


def test_loaded_rules_act(sim: Meddled) -> None:
    table = {"on": "Produce", "topic": "orders", "do": "fail", "error": "NOT_ENOUGH_REPLICAS"}
    (fault,) = sim.faults.load([table])
    assert sim.produce(b"x").only.error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert fault.hits == 1


def test_a_function_cannot_be_written_down(sim: Meddled) -> None:
    sim.faults.on("Produce", when=lambda _: True, name="picky").disconnect()
    with pytest.raises(UsageError, match="'picky' has a when=, and a function is no data"):
        sim.faults.dump()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"do": "drop"}, "expected one of on, after and between"),
        ({"on": "Fetch", "after": "Fetch", "do": "drop"}, "expected one of on, after and between"),
        ({"on": "Fetch"}, "do=None: expected one of fail, disconnect"),
        ({"on": "Fetch", "do": "explode"}, "do='explode'"),
        ({"on": "Fetch", "do": "fail"}, "do='fail' needs error"),
        ({"on": "Fetch", "do": "delay"}, "do='delay' needs duration"),
        ({"on": "Fetch", "do": "drop", "error": "NONE"}, "no matcher 'error'"),
        ({"on": "Fetch", "do": "drop", "when": "x"}, "when= is a function"),
        ({"on": "Fetch", "do": "drop", "group": "g"}, "group: Fetch requests have none"),
        ({"on": "Fech", "do": "drop"}, "no API named 'Fech'"),
        ("on Fetch drop", "is no table"),
    ],
)
def test_data_that_makes_no_sense_arms_nothing_at_all(sim: Meddled, table: Any, says: str) -> None:
    fine = {"on": "Fetch", "do": "drop"}
    with pytest.raises(UsageError) as refused:
        sim.faults.load({"faults": [fine, table]})
    assert str(refused.value).startswith("fault 2 of 2: ")
    assert says in str(refused.value)
    assert len(sim.faults) == 0


def test_names_that_are_taken_are_refused_before_anything_is_armed(sim: Meddled) -> None:
    sim.faults.on("Fetch", name="x").drop()
    for names in (("y", "x"), ("z", "z")):
        with pytest.raises(UsageError, match="is taken"):
            sim.faults.load([{"on": "Fetch", "do": "drop", "name": name} for name in names])
    assert len(sim.faults) == 1


@pytest.mark.parametrize("data", [None, 7, "text", {}, {"rules": []}])
def test_something_else_is_no_list_of_rules(sim: Meddled, data: Any) -> None:
    with pytest.raises(UsageError, match=r"expected \{'faults': "):
        sim.faults.load(data)


ACTIONS: list[dict[str, Any]] = [
    {"do": "disconnect"},
    {"do": "drop"},
    {"do": "fail", "error": "NOT_LEADER_OR_FOLLOWER"},
    {"do": "delay", "duration": "20ms"},
    {"do": "throttle", "duration": 1.25},
    {"do": "hold", "lease": "5s"},
]
texts = st.text(min_size=1, max_size=5)
tables = st.fixed_dictionaries(
    {"on": st.sampled_from(["Produce", "Fetch", ["Produce", "Fetch"], "*"])},
    optional={
        "topic": texts | st.lists(texts, min_size=1, max_size=3, unique=True),
        "partition": st.integers(0, 9),
        "client_id": texts,
        "broker": st.sampled_from([1, 2, [1, 3]]),
        "times": st.integers(1, 9),
        "optional": st.just(True),
    },
).flatmap(lambda table: st.sampled_from(ACTIONS).map(lambda action: {**table, **action}))


@given(st.lists(tables, max_size=4))
def test_any_rules_survive_being_written_and_read(written: list[dict[str, Any]]) -> None:
    sim = Meddled()
    sim.faults.load(written)
    dumped = json.loads(json.dumps(sim.faults.dump()))
    other = Meddled()
    other.faults.load(dumped)
    assert [fault.rule for fault in other.book] == [fault.rule for fault in sim.book]

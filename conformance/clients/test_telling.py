"""What stands around the stories: how long a client was speechless, what is kept, what is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import results
from conformance.clients.in_a_row import chosen
from conformance.clients.keeping import REASON_MAX, SECONDS_KEPT, Keeper
from conformance.clients.roster import NAMES
from conformance.clients.steps import Consume, Join, Produce
from conformance.clients.stories_of_deaths import SHARED
from conformance.clients.telling import STORIES_TOLD, Played, recovery_s
from conformance.clients.versions import library_of

STORY = STORIES_TOLD[0].slug


def test_a_recovery_ends_when_what_is_to_be_read_was_read() -> None:
    diary = [
        Played(Consume(("ann",), 1), 0.0, 1.0),
        Played(Produce("orders", ()), 2.5, 3.0),
        Played(Consume(("ann",), 1), 3.0, 4.5),
        Played(Consume(("ann",), 1), 4.5, 9.0),
    ]
    assert recovery_s(2.0, diary) == 2.5


def test_a_recovery_of_a_producer_ends_with_the_send_that_the_death_held_up() -> None:
    diary = [
        Played(Produce("orders", ()), 0.0, 2.1),
        Played(Produce("orders", ()), 2.1, 12.0),
        Played(Produce("orders", ()), 12.0, 12.5),
    ]
    assert recovery_s(2.0, diary) == 10.0


def test_a_death_after_which_nothing_was_sent_or_read_has_no_recovery() -> None:
    assert recovery_s(2.0, [Played(Join("ann", SHARED), 1.0, 3.0)]) is None


def test_outcomes_are_kept_in_one_line_with_the_release_of_the_library(tmp_path: Path) -> None:
    keeper = Keeper("4.4.0", tmp_path)
    keeper.told("kafkajs", STORY, "failed: assert 1 == 2\n + where 1 = ...")
    keeper.write()
    kept = results.load("clients", tmp_path)
    assert kept["kafka 4.4.0"] == {"kafkajs": {STORY: "failed: assert 1 == 2"}}
    assert kept["about"]["kafka 4.4.0"]["versions"] == {"kafka": "4.4.0", "kafkajs": library_of("kafkajs")}


def test_a_reason_that_quotes_large_records_is_cut(tmp_path: Path) -> None:
    keeper = Keeper(None, tmp_path)
    keeper.told("kafkajs", STORY, "failed: received " + "x" * 900_000)
    keeper.write()
    kept = results.load("clients", tmp_path)["mockbroker"]["kafkajs"][STORY]
    assert len(kept) <= REASON_MAX + len("...")


def test_a_story_that_nobody_tells_any_more_is_forgotten(tmp_path: Path) -> None:
    results.keep("clients", "mockbroker", {"kafkajs": {"an-old-story": "passed"}}, folder=tmp_path)
    keeper = Keeper(None, tmp_path)
    keeper.told("kafkajs", STORY, "passed")
    keeper.write()
    assert results.load("clients", tmp_path)["mockbroker"] == {"kafkajs": {STORY: "passed"}}


def test_the_newest_seconds_of_several_runs_are_kept(tmp_path: Path) -> None:
    for seconds in range(SECONDS_KEPT + 2):
        keeper = Keeper(None, tmp_path)
        keeper.recovered("kafkajs", STORY, seconds)
        keeper.write()
        keeper.write()  # nothing is new, so nothing is kept twice
    kept = results.load("deaths", tmp_path)["mockbroker"]["kafkajs"][STORY]
    assert kept == list(range(2, SECONDS_KEPT + 2))


def test_repetitions_on_mockbroker_are_counted(tmp_path: Path) -> None:
    keeper = Keeper(None, tmp_path)
    keeper.repeated("kafkajs", STORY, 50, 1)
    keeper.write()
    assert results.load("deaths", tmp_path)["in a row"]["kafkajs"][STORY] == {"repeats": 50, "failures": 1}


def test_repeated_are_the_deaths_of_coordinators_or_what_was_named() -> None:
    assert len(chosen(None)) == 3
    assert [story.name for story in chosen(["stable"])] == ["a stable group outlives its coordinator"]
    assert chosen(["no-such-story"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_client_says_its_release(name: str) -> None:
    library, _, release = library_of(name).partition(" ")
    assert library
    assert release

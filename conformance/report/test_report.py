"""The page is up to date, and its generator tells alike from unlike."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cases import every
from conformance.cases.compare import load
from conformance.cases.deviations import DEVIATIONS
from conformance.cases.stage import CASES
from conformance.report.__main__ import FILE
from conformance.report.apis import evidence_for
from conformance.report.clients import mark
from conformance.report.evidence import JUDGE, Agreement, Ending, agreement_of, agreements, answers, question
from conformance.report.generated import summed
from conformance.report.markdown import count, ranges, table
from conformance.report.page import written
from conformance.report.suites import end_of
from mockbroker.cli_apis import Status, rows
from mockbroker.protocol.apis import Api

assert every.__all__


@pytest.fixture(scope="module")
def found() -> list[Agreement]:
    return agreements()


def test_the_page_is_what_the_results_give(found: list[Agreement]) -> None:
    assert FILE.read_text("utf-8") == written(found), "run `nox -s report`"


def test_every_served_api_is_compared_in_a_case(found: list[Agreement]) -> None:
    equal = answers(found)
    served = [row.api for row in rows() if row.status is not Status.REFUSED]
    assert not [api.title for api in served if not any(api is asked for asked, _ in equal)]


def test_an_api_that_deviates_is_not_called_faithful() -> None:
    recorded = load(JUDGE)
    deviating = {question(recorded[one.case][one.step - 1]["asked"]) for one in DEVIATIONS}
    faithful = {row.api for row in rows() if row.status is Status.FAITHFUL}
    assert not [api.title for api, _ in filter(None, deviating) if api in faithful]


def record(number: str) -> list[dict[str, Any]]:
    return load(JUDGE)[number]


def test_a_case_agrees_deviates_differs_or_was_not_asked() -> None:
    case, told = CASES["17b"], record("17b")
    assert agreement_of(case, told, told, None).judge is Ending.AGREES
    assert agreement_of(case, told, told, None).elder is Ending.NOT_ASKED
    wrong = [*told[:-1], told[-1] | {"answer": {}}]
    assert agreement_of(case, wrong, told, told).judge is Ending.DIFFERS
    assert agreement_of(case, wrong, told, told).elder is Ending.DIFFERS
    one = next(one for one in DEVIATIONS if one.at == "heard")
    told = record(one.case)
    other = [
        entry | {"answer": {}} if step == one.step else entry for step, entry in enumerate(told, start=1)
    ]
    assert agreement_of(CASES[one.case], other, told, None).judge is Ending.DEVIATES


def test_an_answer_that_differs_is_not_counted() -> None:
    told = [{"to": 1, "asked": f"Fetch v{version}", "answer": {"a": 1}} for version in (4, 5, 5)]
    other = [*told[:2], told[2] | {"answer": {"a": 2}}]
    equal = answers([agreement_of(CASES["17b"], other, told, None)])
    assert equal == {(Api.FETCH, 4): 1, (Api.FETCH, 5): 1}
    assert evidence_for(Api.FETCH, equal) == "2 in 4-5"
    assert evidence_for(Api.PRODUCE, equal) == "none yet"


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("Fetch v4", (Api.FETCH, 4)),
        ("Produce v9, acks=-1", (Api.PRODUCE, 9)),
        ("Fetch v3", None),
        ("SaslHandshake v0", None),
        ("it waits", None),
    ],
)
def test_a_question_is_an_api_in_a_version_that_is_served(asked: str, what: tuple[Api, int] | None) -> None:
    assert question(asked) == what


def test_a_piece_within_another_is_not_counted_twice() -> None:
    pieces = {name: {"conversations": int(name.split("-")[1])} for name in ("1-300", "1-500", "501-600")}
    assert summed(pieces) == {"conversations": 1_100}


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("passed", "passed"),
        ("failed: transactions", "excused"),
        ("failed: a real Kafka fails it, too", "excused"),
        ("failed: it is Monday", "failed"),
        ("empty: needs TLS", "empty"),
    ],
)
def test_only_a_missing_feature_excuses(line: str, end: str) -> None:
    assert end_of(line) == end


@pytest.mark.parametrize(
    ("here", "there", "shown"),
    [
        ("passed", "passed", "●"),
        ("passed", "skipped", "○"),
        ("passed", "failed", "✗"),
        ("failed", "passed", "✗"),
        ("skipped", "", "-"),
        ("", "passed", ""),
    ],
)
def test_a_story_is_shown_by_what_became_of_it_on_both(here: str, there: str, shown: str) -> None:
    assert mark(here, there) == shown


def test_what_stands_in_a_table_cannot_break_it() -> None:
    assert table(("a", ">b"), [("x|y\nz", "<b>")]).splitlines() == [
        "| a | b |",
        "|---|---:|",
        "| x\\|y z | &lt;b> |",
    ]


def test_numbers_are_put_short() -> None:
    assert ranges([3, 1, 2, 2, 7, 9, 10]) == "1-3 7 9-10"
    assert [count(1, "case"), count(2_000, "case")] == ["1 case", "2,000 cases"]

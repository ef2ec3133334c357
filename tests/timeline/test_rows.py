from __future__ import annotations

from mockbroker.core.event import Event
from mockbroker.protocol.messages.fetch import FetchRequest, FetchResponse
from mockbroker.protocol.messages.groups import HeartbeatRequest, HeartbeatResponse
from mockbroker.timeline.diagnoses import Diagnosis
from mockbroker.timeline.report import TEXT_WIDTH, diagnosis_lines, report, timeline_lines
from mockbroker.timeline.rows import rows_of
from tests.timeline.evidence import Telling
from tests.timeline.test_sentences import COMMIT, LIST_LATEST, committed, listed

BEAT = HeartbeatRequest(group_id="billing", generation_id=1)


def beat(telling: Telling, client: str = "app-a", code: int = 0, standing: str = "") -> Event:
    return telling.said(client, BEAT, HeartbeatResponse(error_code=code), standing=standing)


def lines(telling: Telling, limit: int = 50) -> list[str]:
    return timeline_lines(telling.evidence(), (), limit)[1:]


def test_each_row_says_when_who_and_what_in_columns() -> None:
    telling = Telling()
    telling.history.act("create orders p=3 rf=3")
    telling.after(43)
    telling.said("app-a", COMMIT, committed())
    telling.said("app-b", LIST_LATEST, listed(1))
    assert lines(telling) == [
        "     0.0 test       create orders p=3 rf=3",
        "    43.0 app-a c1   OffsetCommit billing gen 3 orders-0@5 -> ok",
        "    43.0 app-b c2   ListOffsets orders-0 LATEST           -> 1",
    ]


def test_routine_is_folded_until_something_happens() -> None:
    telling = Telling()
    for _ in range(3):
        beat(telling, "app-a")
        beat(telling, "app-b")
        telling.said("app-a", FetchRequest(), FetchResponse())
        telling.after(100)
    telling.said("app-a", COMMIT, committed())
    beat(telling, "app-a")
    assert lines(telling) == [
        "     0.0 app-a c1   Heartbeat billing gen 1               -> ok  (x 3 until 200.0)",
        "     0.0 app-b c2   Heartbeat billing gen 1               -> ok  (x 3 until 200.0)",
        "     0.0 app-a c1   Fetch (as before)                     -> nothing  (x 3 until 200.0)",
        "   300.0 app-a c1   OffsetCommit billing gen 3 orders-0@5 -> ok",
        "   300.0 app-a c1   Heartbeat billing gen 1               -> ok",
    ]


def test_the_same_failure_over_and_over_is_one_row() -> None:
    telling = Telling()
    for _ in range(20):
        telling.said("app-a", COMMIT, committed(16))
        telling.said("app-b", COMMIT, committed(14))
    assert [row.count for row in rows_of(telling.evidence())] == [20, 20]


def test_how_a_group_stands_is_told_where_it_changed() -> None:
    telling = Telling()
    beat(telling, code=27, standing="PreparingRebalance, 2 members")
    telling.said("app-a", COMMIT, committed())
    beat(telling, "app-b", code=27, standing="PreparingRebalance, 2 members")
    beat(telling, "app-b", code=25, standing="Empty, 0 members")
    told = [line.partition("[")[2] for line in lines(telling)]
    assert told == ["PreparingRebalance, 2 members]", "", "", "Empty, 0 members]"]


def test_silence_has_a_line_of_its_own() -> None:
    telling = Telling()
    telling.history.act("create orders p=1 rf=3")
    telling.after(1_500)
    telling.history.act("freeze the clock")
    telling.after(5_000)
    telling.history.waited("waited 5 s in vain for godot")
    told = lines(telling)
    assert told[1] == "         ---- nothing for 1.5 s ----"
    assert told[3] == (
        "         ---- no further request for 5.0 s: the test waited 5 s in vain for godot ----"
    )


def test_silence_up_to_the_failure_is_told_too() -> None:
    telling = Telling()
    telling.history.act("create orders p=1 rf=3")
    telling.after(2_000)
    assert lines(telling)[-1] == "         ---- no further request for 2.0 s ----"


def test_an_answer_that_took_its_time_says_so() -> None:
    telling = Telling()
    call = telling.call("app-a", COMMIT)
    telling.after(2_500)
    telling.history.record(1, call, committed())
    assert lines(telling) == [
        "  2500.0 app-a c1   OffsetCommit billing gen 3 orders-0@5 -> ok  (after 2.5 s)"
    ]


def test_of_many_rows_the_last_are_told_and_those_that_a_diagnosis_speaks_of() -> None:
    telling = Telling()
    acts = [telling.history.act(f"act {n}") for n in range(20)]
    evidence = telling.evidence()
    told = timeline_lines(evidence, [Diagnosis("it was act 3", events=(acts[3].number,))], limit=2)[1:]
    assert [line.split("test")[-1].strip() for line in told] == [
        "---- 3 rows left out ----",
        "act 3",
        "---- 14 rows left out ----",
        "act 18",
        "act 19",
    ]


def test_what_was_forgotten_is_said() -> None:
    telling = Telling()
    telling.history.limit = 2
    for n in range(5):
        telling.history.act(f"act {n}")
    assert "---- the 3 oldest events were forgotten ----" in report(telling.evidence(dropped=3))


def test_without_a_history_the_report_says_why_it_is_empty() -> None:
    assert "no history was kept (history=False)" in report(Telling().evidence(keeps=False))


def test_a_client_that_was_owed_an_answer_when_it_hung_up_is_told() -> None:
    telling = Telling()
    telling.call("app-a", COMMIT)
    telling.history.closed(1, telling.peer("app-a"), "app-a", "the connection ended")
    assert lines(telling)[0].endswith("the connection ended before OffsetCommit was answered")
    assert not telling.history.open


def test_a_request_without_an_answer_is_told_as_such_and_a_long_poll_is_not() -> None:
    telling = Telling()
    held = telling.call("app-a", COMMIT)
    telling.call("app-b", FetchRequest())
    telling.after(5)
    telling.history.act("crash")
    held.touched = ("gate-1",)
    told = timeline_lines(telling.evidence(open=list(telling.history.open.values())), ())[1:]
    assert told == [
        "     0.0 app-a c1   OffsetCommit billing gen 3 orders-0@5 -> no answer yet  (fault: gate-1)",
        "     5.0 test       crash",
    ]


def test_a_sentence_is_broken_where_a_screen_ends_and_an_id_is_not() -> None:
    told = diagnosis_lines([Diagnosis("word " * 40 + "app-a-01234567-89ab", "Do this.")])
    assert told[0] == " diagnosis"
    assert [line[:5] for line in told[1:]] == ["   * ", "     ", "     "]
    assert max(map(len, told)) <= 5 + TEXT_WIDTH
    assert told[2].endswith("app-a-01234567-89ab")

"""What can be said of random conversations without a real Kafka: they are the same again, and can be cut."""

from __future__ import annotations

from conformance.cases.batches import batch
from conformance.generated.conversation import Conversation, Known, Memory, Name, Records, Several, Step
from conformance.generated.hunt import hunt, source
from conformance.generated.shrink import shortened
from conformance.generated.targets import MockTarget

SEED = 5
ONE, TWO = Records((b"a",)), Records((b"b", b"c"))


def producing(records: Records | Several) -> Step:
    data = [{"name": Name("t0"), "partition_data": [{"index": 0, "records": records}]}]
    fields = {"transactional_id": None, "acks": -1, "timeout": 1_000, "topic_data": data}
    return Step("line_0", "Produce", 9, fields)


def told(*steps: Step) -> Conversation:
    return Conversation({"t0": "plain", "t1": "plain"}, steps)


def test_one_mockbroker_says_what_another_says() -> None:
    result = hunt(MockTarget(), 60, SEED)
    assert (result.played, result.found) == (60, [])


def test_a_hunt_in_pieces_is_the_same_hunt() -> None:
    pieces = [hunt(MockTarget(), 20, SEED, first=first, last=last) for first, last in ((1, 10), (11, None))]
    whole = hunt(MockTarget(), 20, SEED)
    assert [piece.played for piece in pieces] == [10, 10]
    assert sum(piece.steps for piece in pieces) == whole.steps


def test_deaths_are_counted() -> None:
    assert hunt(MockTarget(), 10, SEED, deaths_in_100=100).deaths == 10


def test_several_batches_lie_behind_each_other_and_are_said_so() -> None:
    memory = Memory({}, {}, 0)
    assert memory.value(Several((ONE, TWO))) == batch(b"a") + batch(b"b", b"c")
    assert memory.words(Several((ONE, TWO))) == "batch(b'a') + batch(b'b', b'c')"
    assert memory.value(Several((Records((b"a",), {"base_offset": Known("x", 7)}),))) == batch(
        b"a", base_offset=7
    )


def test_of_several_batches_one_may_be_left() -> None:
    def has_a(conversation: Conversation) -> bool:
        return any("b'a'" in repr(step) for step in conversation.steps)

    (step,) = shortened(told(producing(Several((ONE, TWO)))), has_a).steps
    assert step == producing(ONE)


def test_what_is_pasted_is_python() -> None:
    text = source(told(producing(Several((ONE, TWO)))), MockTarget())
    compile(text, "pasted", "exec")
    assert "batch(b'a') + batch(b'b', b'c')" in text

"""Declarations: what a class body with annotations becomes."""

import subprocess
import sys
from typing import Annotated, Any

import pytest

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.messages.fetch import FetchedPartition, FetchRequest
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.schema import fields_of, message, replace, schema_of, struct
from mockbroker.protocol.types import Int16, Int32, Uuid, nullable, since, tag, until, versions


@struct
class Crew:
    """A part with everything that an annotation can say."""

    count: Int32 = 4
    uid: Annotated[Uuid, since(2)] = bytes(16)
    nick: Annotated[str | None, since(1), nullable(since=2)] = None
    names: Annotated[list[str] | None, until(1)] = []  # noqa: RUF012 - as messages are declared
    note: Annotated[Int16, tag(0, since=2)] = -1


@message(api=1000, versions="0-2", flexible="2+")
class Voyage:
    """A message of no protocol."""

    crew: Crew = Crew()
    others: list[Crew] = []  # noqa: RUF012 - as messages are declared

    def size(self) -> int:
        """A method, which survives."""
        return len(self.others)


def test_an_annotation_says_the_versions_the_null_and_the_tag() -> None:
    assert [str(field.versions) for field in fields_of(Crew)] == ["0+", "2+", "1+", "0-1", "2+"]
    _, _, nick, names, note = fields_of(Crew)
    assert not nick.null_in(1)
    assert nick.null_in(2)
    assert names.null_in(0)
    assert names.element is not None
    assert note.tag == 0
    assert fields_of(Voyage)[0].struct == Crew  # type: ignore[comparison-overlap]  # a Struct only at run time


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_declaration_is_all_that_a_codec_needs(version: int) -> None:
    voyage = Voyage(crew=Crew(nick="cap", note=3), others=[Crew(names=["a", "b"]), Crew(names=None)])
    read = decode(Voyage, version, b"".join(encode(voyage, version)))
    assert read.crew.count == 4
    assert read.crew.note == (3 if version == 2 else -1)
    assert read.others[0].names == ([] if version == 2 else ["a", "b"])
    assert read.others[1].names == ([] if version == 2 else None)
    assert read.size() == 2


def test_every_field_has_its_default_and_lists_are_not_shared() -> None:
    one, two = FetchRequest(), FetchRequest()
    assert one.max_bytes == 0x7FFF_FFFF
    one.topics.append(FetchRequest())  # type: ignore[arg-type]  # any element will do
    one.replica_state.replica_id = 5
    assert two.topics == []
    assert two.replica_state.replica_id == -1


def test_null_can_be_said_where_the_default_is_a_list() -> None:
    assert FetchedPartition(aborted_transactions=None).aborted_transactions is None


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(TypeError, match="max_bites"):
        FetchRequest(max_bites=1)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(AttributeError):
        FetchRequest().max_bites = 1  # type: ignore[attr-defined]  # on purpose


def test_messages_are_equal_when_all_their_fields_are() -> None:
    assert ProducePartition(index=1) == ProducePartition(index=1)
    assert ProducePartition(index=1) != ProducePartition(index=2)
    assert ProducePartition() != ProduceTopic()  # type: ignore[comparison-overlap]  # that is the point
    with pytest.raises(TypeError, match="unhashable"):
        hash(ProducePartition())


def test_a_message_shows_what_differs_from_the_defaults() -> None:
    partition = ProducePartition(index=3, records=memoryview(bytes(1000)))
    request = ProduceRequest(acks=-1, topic_data=[ProduceTopic(name="orders", partition_data=[partition])])
    assert repr(request) == (
        "ProduceRequest(acks=-1, topic_data=[ProduceTopic(name='orders', "
        "partition_data=[ProducePartition(index=3, records=<1000 bytes>)])])"
    )


def test_a_copy_with_changes_leaves_the_original_alone() -> None:
    original = ProduceRequest(acks=1, timeout_ms=5)
    changed = replace(original, acks=-1)
    assert (original.acks, changed.acks, changed.timeout_ms) == (1, -1, 5)


def test_version_ranges_are_written_as_kafka_writes_them() -> None:
    for text in ("3+", "0-12", "7-7"):
        assert str(versions(text)) == text
    assert str(versions("1")) == "1-1"
    assert 12 in versions("0-12")
    assert 13 not in versions("0-12")


def test_what_is_not_declared_has_no_schema() -> None:
    with pytest.raises(AssertionError, match="not declared with @message"):
        schema_of(Crew)
    with pytest.raises(AssertionError, match="not declared with @struct"):
        fields_of(int)


def test_an_annotation_without_a_wire_format_is_our_mistake() -> None:
    @struct
    class Odd:
        """Complex numbers are not in the protocol."""

        number: Annotated[Any, "metadata that says nothing"] = 0

    with pytest.raises(AssertionError, match="says nothing about the wire"):
        fields_of(Odd)


def test_knowing_the_keys_imports_no_messages() -> None:
    script = (
        "import sys, mockbroker.protocol.apis, mockbroker.protocol.headers\n"
        "print([name for name in sys.modules if 'protocol.messages.' in name])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

"""Our bytes against those of kafka-python, which compiles Kafka's own definitions in its own way.

It knows half of the messages, but those down to version 0, which kio does not.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from mockbroker.protocol.codec import encode
from mockbroker.protocol.schema import replace
from tests.protocol.declared import MESSAGES, messages, name, versions_of

with warnings.catch_warnings():
    # It reads its definitions with a function that Python 3.11 calls deprecated and later ones do not.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.protocol.api_message import ApiMessage


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    """Every class below this one."""
    for below in base.__subclasses__():
        yield below
        yield from subclasses(below)


THEIRS: dict[str, Any] = {kind.__name__: kind for kind in subclasses(ApiMessage)}
IN_COMMON = [message_type for message_type in MESSAGES if message_type.__name__ in THEIRS]


def test_most_messages_of_produce_and_consume_are_compared() -> None:
    assert len(IN_COMMON) >= 100


@pytest.mark.parametrize("message_type", IN_COMMON, ids=name)
def test_kafka_python_reads_what_we_write_and_writes_the_same(message_type: type[Any]) -> None:
    theirs = THEIRS[message_type.__name__]

    @settings(max_examples=10)
    @given(messages(message_type, plausible=True))
    def same_bytes(message: Any) -> None:
        if message_type.__name__ == "ApiVersionsResponse":
            # With an error in it, it is read as version 0 there, whatever was asked for.
            message = replace(message, error_code=0)
        for version in versions_of(message_type):
            if version > theirs.max_version:
                break
            ours = b"".join(encode(message, version))
            decoded = theirs.decode(ours, version=version)
            decoded._header = None  # noqa: SLF001 - a decoded message lacks it, and cannot be encoded without
            assert bytes(decoded.encode(version=version)) == ours, version

    same_bytes()

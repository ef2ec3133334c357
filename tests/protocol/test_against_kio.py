"""Our bytes against those of kio, an independent implementation generated from Kafka 4.3's definitions."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from kio.index import UnknownEntity, load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode as KioErrorCode
from kio.serial import entity_reader, entity_writer

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.schema import schema_of
from tests.protocol.declared import MESSAGES, as_seen_by, messages, name, versions_of

# Newer than kio: Kafka 4.4 alone has them, and its own definitions are the oracle for these.
UNKNOWN_TO_KIO = {
    "StreamsGroupTopologyDescriptionUpdateRequest",
    "StreamsGroupTopologyDescriptionUpdateResponse",
    "UnregisterControllerRequest",
    "UnregisterControllerResponse",
}


def kio_versions(message_type: type[Any]) -> dict[int, Any]:
    """Kio's class for each version of a message that it knows."""
    load: Any = load_request_schema if message_type.__name__.endswith("Request") else load_response_schema
    found = {}
    for version in versions_of(message_type):
        try:
            found[version] = load(schema_of(message_type).api_key, version)
        except UnknownEntity:
            continue
    return found


@pytest.mark.parametrize("message_type", [m for m in MESSAGES if m.__name__ not in UNKNOWN_TO_KIO], ids=name)
def test_kio_reads_what_we_write_and_writes_what_we_read(message_type: type[Any]) -> None:
    known = kio_versions(message_type)
    assert known, "kio knows this message in no version"

    @settings(max_examples=10)
    @given(messages(message_type, plausible=True))
    def same_bytes(message: Any) -> None:
        for version, kio_type in known.items():
            ours = b"".join(encode(message, version))
            theirs, read = entity_reader(kio_type)(ours, 0)
            assert read == len(ours)
            written = io.BytesIO()
            entity_writer(kio_type)(written, theirs)
            assert written.getvalue() == ours, version
            assert decode(message_type, version, written.getvalue()) == as_seen_by(version, message)

    same_bytes()


@pytest.mark.parametrize("code", KioErrorCode, ids=lambda code: str(code.name))
def test_error_codes_have_the_same_names_and_the_same_fate(code: KioErrorCode) -> None:
    ours = ErrorCode(int(code))
    assert ours.name == code.name.upper()
    assert ours.retriable == code.retriable

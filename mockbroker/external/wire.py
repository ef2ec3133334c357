"""Blocking connections to real brokers: one request, one answer.

Asks each broker once which versions it knows, and uses the newest that names topics by name.  Who leads what is
looked up anew each time, which is slow and never wrong.  Retries nothing: whoever asks knows what may be repeated.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from mockbroker.core.usage import UsageError
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.compile_decoder import skip_tags
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.headers import RequestHeader, is_flexible, write_request
from mockbroker.protocol.messages.groups import ListGroupsRequest
from mockbroker.protocol.messages.metadata import (
    ApiVersionsRequest,
    FindCoordinatorRequest,
    MetadataRequest,
    MetadataTopic,
)
from mockbroker.protocol.schema import schema_of

Address = tuple[str, int]

CLIENT_ID = "mockbroker-external"
# A real broker that says nothing for so long says nothing.
ANSWER_TIMEOUT_S = 30.0

# The newest version of each that names topics by their names, and one thing at a time.
_NEWEST = {
    Api.METADATA: 9, Api.PRODUCE: 9, Api.FETCH: 11, Api.LIST_OFFSETS: 7, Api.FIND_COORDINATOR: 3,
    Api.OFFSET_FETCH: 7, Api.CREATE_TOPICS: 5, Api.DELETE_TOPICS: 5, Api.CREATE_PARTITIONS: 3,
    Api.DELETE_RECORDS: 2, Api.DESCRIBE_GROUPS: 5, Api.LIST_GROUPS: 4, Api.DELETE_GROUPS: 2,
}  # fmt: skip


class Wire:
    """All connections of one test run to one real cluster."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._first = addresses_in(bootstrap)
        self._sockets = dict[Address, socket.socket]()
        self._versions = dict[Address, dict[int, tuple[int, int]]]()

    def close(self) -> None:
        """Hang up."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    def ask(self, request: Any, address: Address | None = None) -> Any:
        """Put a request to a broker, whichever answers if none is named, and give its response."""
        if address is None:
            return self._ask_anyone(request)
        api = Api(schema_of(type(request)).api_key)
        return self._exchange(address, api, request, self._version(address, api))

    def _ask_anyone(self, request: Any) -> Any:
        failures = []
        for address in self._first:
            try:
                return self.ask(request, address)
            except OSError as failed:
                failures.append(f"{address[0]}:{address[1]}: {failed}")
        raise UsageError(f"no Kafka answers at {self.bootstrap} ({'; '.join(failures)})")

    def metadata(self, *topics: str) -> Any:
        """What the brokers know of some topics, or of all; none is created by that."""
        named = [MetadataTopic(name=name) for name in topics]
        return self.ask(MetadataRequest(topics=named or None, allow_auto_topic_creation=False))

    def leader(self, topic: str, partition: int) -> Address:
        """Where a partition is led.  Raises KafkaError where it is not there, or has no leader now."""
        metadata = self.metadata(topic)
        (found,) = metadata.topics
        refuse(found.error_code)
        leaders = {one.partition_index: one.leader_id for one in found.partitions}
        if partition not in leaders:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        for broker in metadata.brokers:
            if broker.node_id == leaders[partition]:
                return broker.host, broker.port
        raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)

    def coordinator(self, group: str) -> Address:
        """Who looks after a group.  Raises KafkaError as long as nobody does."""
        found = self.ask(FindCoordinatorRequest(key=group))
        refuse(found.error_code)
        return found.host, found.port

    def groups(self) -> set[str]:
        """The ids of all groups, whoever looks after them."""
        brokers = [(broker.host, broker.port) for broker in self.metadata().brokers]
        return {
            group.group_id for broker in brokers for group in self.ask(ListGroupsRequest(), broker).groups
        }

    # -- one connection ---------------------------------------------------------------------------

    def _version(self, address: Address, api: Api) -> int:
        if address not in self._versions:
            answer = self._exchange(address, Api.API_VERSIONS, ApiVersionsRequest(), 0)
            self._versions[address] = {
                one.api_key: (one.min_version, one.max_version) for one in answer.api_keys
            }
        low, high = self._versions[address].get(api, (1, 0))
        version = min(high, _NEWEST[api])
        if version < low:
            raise UsageError(f"the Kafka at {self.bootstrap} has no {api.title} that mockbroker could speak")
        return version

    def _exchange(self, address: Address, api: Api, request: Any, version: int) -> Any:
        try:
            if address not in self._sockets:
                self._sockets[address] = socket.create_connection(address, ANSWER_TIMEOUT_S)
            return _answer(self._sockets[address], api, request, version)
        except OSError:
            # Broken, or with an answer still to come that nobody would know to be late.
            if address in self._sockets:
                self._sockets.pop(address).close()
            raise


def _answer(connection: socket.socket, api: Api, request: Any, version: int) -> Any:
    frame = write_request(RequestHeader(api, version, 1, CLIENT_ID), encode(request, version))
    connection.sendall(struct.pack(">i", len(frame)) + frame)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    answer = _exactly(connection, size)
    body = 4
    if api is not Api.API_VERSIONS and is_flexible(api, version):
        body = skip_tags(answer, body)
    return decode(api.response, version, answer, body)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        arrived = connection.recv(count - len(data))
        if not arrived:
            raise ConnectionResetError("it closed the connection")
        data += arrived
    return bytes(data)


def addresses_in(bootstrap: str) -> list[Address]:
    """The addresses of brokers, "host:9092" or several with commas.  Raises UsageError."""
    return [_address(one) for one in bootstrap.split(",")]


def _address(given: str) -> Address:
    host, colon, port = given.strip().rpartition(":")
    if not colon or not host or not port.isdigit():
        raise UsageError(f"{given!r} is no address of a Kafka: expected HOST:PORT, or several with commas")
    return host.strip("[]"), int(port)


def refuse(code: int) -> None:
    """Raise the error that an answer bears, if it bears one."""
    if code:
        raise KafkaError(ErrorCode(code))

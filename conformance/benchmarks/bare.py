"""A producer without a client: one socket, one frame made beforehand, one answer.

Times the broker and the kernel and nothing else.  And all brokers take what it sends, where kfake refuses
whatever says 0 for a leader epoch that is not known yet, as librdkafka and the Python clients do, rather than
-1.  Frames are made by mockbroker's own codec.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, Target
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.headers import RequestHeader, write_request
from mockbroker.protocol.messages.produce import (
    ProducePartition,
    ProduceRequest,
    ProduceResponse,
    ProduceTopic,
)
from mockbroker.records.builder import NewRecord, build_batch

# Flexible, and known to all peers; nothing later is about one broker's one partition.
VERSION = 9
CORRELATION_ID = 1
# Size, correlation id and the tags of a flexible header come before the body of an answer.
_ANSWER_BODY_FROM = 5
_SIZE = struct.Struct(">i")


class BareProducer:
    """A connection to the leader of one partition, and one batch to send there again and again."""

    def __init__(self, sock: socket.socket, topic: str, partition: int, values: list[bytes]) -> None:
        self._socket = sock
        now_ms = time.time_ns() // 1_000_000
        batch = build_batch([NewRecord(value=value) for value in values], now_ms=now_ms)
        part = ProducePartition(index=partition, records=batch.data)
        request = ProduceRequest(
            acks=1, timeout_ms=10_000, topic_data=[ProduceTopic(name=topic, partition_data=[part])]
        )
        header = RequestHeader(Api.PRODUCE, VERSION, CORRELATION_ID, "bare")
        frame = write_request(header, encode(request, VERSION))
        self._frame = _SIZE.pack(len(frame)) + frame

    def exchange(self) -> bytes:
        """Send the batch once more, and give the answer as it is."""
        self._socket.sendall(self._frame)
        answer = self._socket.recv(4096)
        while len(answer) < _SIZE.size or len(answer) < _SIZE.size + _SIZE.unpack_from(answer)[0]:
            more = self._socket.recv(4096)
            if not more:
                raise ConnectionError("the broker closed the connection")
            answer += more
        return answer[_SIZE.size :]

    def send(self) -> None:
        """Send the batch once more, and see that it was taken."""
        check(self.exchange())


def check(answer: bytes) -> None:
    """Raise unless the one partition that was written has no error."""
    response = decode(ProduceResponse, VERSION, answer, _ANSWER_BODY_FROM)
    code = response.responses[0].partition_responses[0].error_code
    if code:
        raise ValueError(f"the broker refused a batch with error {code}")


@contextlib.contextmanager
def bare_producer(target: Target, topic: str, partition: int, values: list[bytes]) -> Iterator[BareProducer]:
    """A BareProducer that is connected to the partition's leader."""
    metadata = target.admin.list_topics(topic, timeout=ANSWER_TIMEOUT_S)
    leader = metadata.brokers[metadata.topics[topic].partitions[partition].leader]
    with socket.create_connection((leader.host, leader.port), ANSWER_TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield BareProducer(sock, topic, partition, values)

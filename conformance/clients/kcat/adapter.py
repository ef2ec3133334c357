"""kcat: each verb is a run of the program, and what it prints is what the client was told.

Readers and members are runs that last.  Their output is JSON lines; what they say about positions and
rebalances stands on stderr.  kcat cannot be told anything once it runs, so it lacks what needs that.
"""

# ruff: noqa: ARG002  # the verbs that it lacks have their arguments all the same

from __future__ import annotations

import contextlib
import json
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from conformance.clients.verbs import (
    DEADLINE_S,
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    RETRY_BACKOFF_MS,
    SESSION_TIMEOUT_MS,
    Joining,
    Moment,
    Need,
    Partition,
    Record,
    Sending,
    Start,
)

_RUNNING = "kcat takes no orders while it runs"
_ADMIN = "kcat has no admin commands"

LACKS: Mapping[Need, str] = {
    Need.NULL_HEADER: "kcat's -H cannot say null",
    Need.TIMESTAMP: "kcat cannot choose a record's timestamp",
    Need.SEEK: _RUNNING,
    Need.PAUSE: _RUNNING,
    Need.COMMIT: _RUNNING,
    Need.UNCOMMITTED: "kcat -G commits what it printed when it is revoked, whatever enable.auto.commit says",
    Need.LASTING_PRODUCER: "each send is a new run of kcat",
    Need.STICKY: "librdkafka has range, roundrobin and cooperative-sticky, no eager sticky assignor",
    Need.ADMIN: _ADMIN,
    Need.TRANSACTIONS: "kcat aborts a transaction only by being interrupted, at no certain moment",
}

# Else a run ends, "1/1 brokers are down", if the first address is dead and refuses before the next one is read.
LASTING = ("-E",)


def why_missing() -> str | None:
    """Why kcat cannot be used here, or None."""
    return None if shutil.which("kcat") else "kcat is not on the PATH"


class Kcat:
    """The client of one story."""

    def __init__(self, bootstrap: str) -> None:
        self.lacks = LACKS
        settings = {
            "retry.backoff.ms": RETRY_BACKOFF_MS,
            "reconnect.backoff.ms": RETRY_BACKOFF_MS,
            "reconnect.backoff.max.ms": 50,
        }
        self.common = ["kcat", "-b", bootstrap, "-m", str(int(DEADLINE_S)), *_options(settings)]

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> None:
        settings = {
            "acks": how.acks,
            "compression.type": how.codec,
            "enable.idempotence": str(how.idempotent).lower(),
        }
        self._send(topic, records, _options(settings))

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        raise AssertionError(LACKS[Need.TRANSACTIONS])

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> KcatReader:
        (partition,) = partitions  # several would need PAUSE to be of interest
        settings = {
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
            "isolation.level": "read_committed" if committed_only else "read_uncommitted",
        }
        where = ["-t", topic, "-p", str(partition), "-o", str(start)]
        reader = KcatReader(Run([*self.common, *LASTING, *_options(settings), "-C", "-J", "-u", *where]))
        if start == "end":
            reader.wait_at_end()
        return reader

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        # In a query the logical offsets are written as librdkafka numbers them.
        query = {"earliest": -2, "latest": -1}.get(str(moment), moment)
        printed = self._run("-Q", "-t", f"{topic}:{partition}:{query}")
        offset = int(printed.rsplit("offset", 1)[1])
        return None if offset < 0 else offset

    def join(self, how: Joining) -> KcatMember:
        settings: dict[str, Any] = {
            "partition.assignment.strategy": how.strategy,
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
            "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": str(how.auto_commit).lower(),
        }
        if how.instance:
            settings["group.instance.id"] = how.instance
        where = ["-G", how.group, how.topic]
        return KcatMember(Run([*self.common, *LASTING, *_options(settings), "-J", "-u", *where]))

    def partition_count(self, topic: str) -> int | None:
        described = json.loads(self._run("-L", "-J", "-t", topic))
        (found,) = described["topics"]
        return None if "error" in found else len(found["partitions"])

    def create_topic(self, topic: str, partitions: int) -> None:
        raise AssertionError(_ADMIN)

    add_partitions = create_topic

    def delete_topic(self, topic: str) -> None:
        raise AssertionError(_ADMIN)

    def close(self) -> None:
        """Each run has ended by itself."""

    def _send(self, topic: str, records: Sequence[Record], options: Sequence[str]) -> None:
        """A run for each stretch of records that are alike in everything that kcat fixes for a whole run."""
        for (key, headers, partition, empty), stretch in groupby(records, _fixed_for_a_run):
            words = [*options, "-P", "-t", topic]
            words += [] if partition is None else ["-p", str(partition)]
            words += [word for name, value in headers for word in ("-H", f"{name}={(value or b'').decode()}")]
            if empty is None:
                self._send_files([*words, *([] if key is None else ["-k", key.decode()])], list(stretch))
            else:
                # Key, delimiter, nothing: -Z makes a tombstone of that. An empty file would be passed over.
                lines = b"".join((key or b"") + b"\x01\n" for _ in stretch)
                self._run(*words, "-K", "\\x01", *(["-Z"] if empty == "null" else []), given=lines)

    def _send_files(self, words: list[str], records: Sequence[Record]) -> None:
        """The whole content of each file is one record, whatever bytes it has."""
        with tempfile.TemporaryDirectory(prefix="kcat-") as scratch:
            files = [Path(scratch, str(index)) for index in range(len(records))]
            for file, record in zip(files, records, strict=True):
                file.write_bytes(record.value or b"")
            self._run(*words, *map(str, files))

    def _run(self, *words: str, given: bytes = b"") -> str:
        command = [*self.common, *words]
        done = subprocess.run(command, input=given, capture_output=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 0, f"kcat ended with {done.returncode}: {done.stderr.decode()}"
        return done.stdout.decode()


class Run:
    """A kcat that goes on, its two outputs as queues of lines."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        self.printed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.remarks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.pumps = [
            threading.Thread(target=_pump, args=pipe)
            for pipe in ((self.process.stdout, self.printed), (self.process.stderr, self.remarks))
        ]
        for pump in self.pumps:
            pump.start()

    def record(self, timeout_s: float) -> list[Record]:
        """The next record it prints, as a list of one, or nothing."""
        try:
            line = self.printed.get(timeout=timeout_s)
        except queue.Empty:
            return []
        found = json.loads(line)
        names, texts = found.get("headers", [])[::2], found.get("headers", [])[1::2]
        headers = tuple((name, text.encode()) for name, text in zip(names, texts, strict=True))
        value, key = _bytes(found["payload"]), _bytes(found["key"])
        return [Record(value, key, headers, found["partition"], found["ts"], found["offset"])]

    def remarked(self) -> Iterator[str]:
        """What it has said on stderr since last time."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self.remarks.get_nowait().decode()

    def close(self) -> None:
        """SIGTERM: kcat closes its consumer, which leaves its group, and ends."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        finally:
            self.process.kill()
            for pump in self.pumps:
                pump.join(DEADLINE_S)


class KcatReader:
    """A run that reads one partition."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def wait_at_end(self) -> None:
        """It says when it has reached the end of a partition; from then on the end is an offset."""
        deadline = time.monotonic() + DEADLINE_S
        while not any("Reached end of topic" in remark for remark in self.run.remarked()):
            assert time.monotonic() < deadline, "kcat never reached the end"
            time.sleep(0.01)  # a pause between looks, not a guess

    def take(self, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count and time.monotonic() < deadline:
            records += self.run.record(timeout_s=0.1)
        return records

    def seek(self, partition: int, offset: int) -> None:
        raise AssertionError(_RUNNING)

    def pause(self, partition: int) -> None:
        raise AssertionError(_RUNNING)

    resume = pause

    def close(self) -> None:
        self.run.close()


class KcatMember:
    """A run that belongs to a group and tells of its rebalances."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rebalances = 0
        self.owned: frozenset[Partition] = frozenset()

    def poll(self, timeout_s: float) -> list[Record]:
        record = self.run.record(timeout_s)
        self._follow()
        return record

    def assignment(self) -> frozenset[Partition]:
        self._follow()
        return self.owned

    def _follow(self) -> None:
        """Keep up with what it says: `assigned: t [0], t [1]`, or `incremental assignment of ...: t [0]`."""
        for remark in self.run.remarked():
            if (told := re.search(r"rebalanced.*: (incremental )?(assign|revoke).*?: (.*)", remark)) is None:
                continue
            incremental, what, listed = told.groups()
            partitions = {(topic, int(number)) for topic, number in re.findall(r"(\S+) \[(\d+)\]", listed)}
            if what == "assign":
                self.rebalances += 1
                self.owned = frozenset(partitions | (self.owned if incremental else frozenset()))
            else:
                self.owned -= partitions

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        raise AssertionError(_RUNNING)

    def leave(self) -> None:
        self.run.close()


def _fixed_for_a_run(record: Record) -> tuple[Any, ...]:
    empty = {None: "null", b"": "empty"}.get(record.value)
    return record.key, record.headers, record.partition, empty


def _pump(pipe: Any, lines: queue.SimpleQueue[bytes]) -> None:
    for line in pipe:
        lines.put(line)
    pipe.close()


def _options(settings: Mapping[str, object]) -> list[str]:
    return [word for key, value in settings.items() for word in ("-X", f"{key}={value}")]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()

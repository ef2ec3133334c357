"""A client in another process, in whatever language: the orders of lines.py, and a process that obeys.

The adapter for every such client.  Knows nothing of the program but that it speaks the protocol; how it is
built is programs.py's business.  A process can be killed, which is what a killed member needs.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

from conformance.clients.lines import TIMERS, Line, lines_of, records_of
from conformance.clients.looping import Looped, Looping
from conformance.clients.verbs import DEADLINE_S, Joining, Moment, Need, Partition, Record, Sending, Start

# An order waits no longer than a story's deadline; what is on top is for the program to say so itself.
ANSWER_S = DEADLINE_S + 10
# A loop of a thousand transactions, in trouble, on a busy machine.
LOOP_S = 600.0
# A program ends by itself when its orders end. One that does not is stuck, and is killed.
GOODBYE_S = 5.0
# What a program said last on stderr, for the report of a failure.
REMARKS_KEPT = 30

_serial = itertools.count(1)


class ForeignError(AssertionError):
    """The client failed, or its program did: the words are its own."""


class Process:
    """A program that runs, and one order at a time."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.name = os.path.basename(command[0])  # noqa: PTH119  # a word for messages, not a path
        # A session of its own: a signal to the group reaches what the program may have started itself.
        self._running = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._remarks: deque[bytes] = deque(maxlen=REMARKS_KEPT)
        self._pumps = [
            threading.Thread(target=self._pump_answers, daemon=True),
            threading.Thread(target=self._pump_remarks, daemon=True),
        ]
        for pump in self._pumps:
            pump.start()

    def _pump_answers(self) -> None:
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self._answers.put(line)
        self._answers.put(b"")  # it ended: nobody needs to wait for it any longer

    def _pump_remarks(self) -> None:
        assert self._running.stderr is not None
        self._remarks.extend(self._running.stderr)

    @property
    def alive(self) -> bool:
        """Whether it can take orders."""
        return self._running.poll() is None

    def ask(self, do: str, *, patience_s: float = ANSWER_S, **order: Any) -> Any:
        """Give an order and wait for its result. A program that does not answer in time is killed."""
        assert self._running.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._running.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
            self._running.stdin.flush()
        try:
            line = self._answers.get(timeout=patience_s)
        except queue.Empty:
            self.kill()
            line = b""
        if not line:
            raise ForeignError(f"{self.name} gave no answer to `{do}`. It said last:\n{self._last_words()}")
        answer: Line = json.loads(line)
        if "error" in answer:
            raise ForeignError(f"{do}: {answer['error']}")
        return answer["ok"]

    def _last_words(self) -> str:
        return b"".join(self._remarks).decode(errors="replace")

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._collect()

    def end(self) -> None:
        """No more orders: it ends by itself, as long as it is well."""
        assert self._running.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._running.stdin.close()
        try:
            self._running.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._collect()

    def _collect(self) -> None:
        self._running.wait()
        for pump in self._pumps:
            pump.join(GOODBYE_S)
        for pipe in (self._running.stdin, self._running.stdout, self._running.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Foreign:
    """The client of one story, in a process that may have told other stories before."""

    def __init__(self, process: Process, bootstrap: str) -> None:
        self.process = process
        lacks = process.ask("open", bootstrap=bootstrap, timers=TIMERS)
        self.lacks: Mapping[Need, str] = {Need[name]: reason for name, reason in lacks.items()}

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        offsets: list[int] | None = self.process.ask(
            "produce",
            topic=topic,
            records=lines_of(records),
            acks=how.acks,
            codec=how.codec,
            idempotent=how.idempotent,
        )
        return offsets

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        sent = lines_of(records)
        self.process.ask(
            "transact", topic=topic, records=sent, transactional_id=transactional_id, commit=commit
        )

    def loop(self, how: Looping) -> Looped:
        """Run a consume-transform-produce loop to its end; it takes longer than other orders."""
        return Looped(**self.process.ask("loop", patience_s=LOOP_S, **asdict(how)))

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> ForeignReader:
        name = f"reader-{next(_serial)}"
        where: Line = {"topic": topic, "partitions": list(partitions), "start": start}
        self.process.ask("open_reader", reader=name, committed_only=committed_only, **where)
        return ForeignReader(self.process, name)

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        offset: int | None = self.process.ask("offset_at", topic=topic, partition=partition, moment=moment)
        return offset

    def join(self, how: Joining) -> ForeignMember:
        name = f"member-{next(_serial)}"
        self.process.ask(
            "join",
            member=name,
            group=how.group,
            topic=how.topic,
            strategy=how.strategy,
            instance=how.instance,
            auto_commit=how.auto_commit,
        )
        return ForeignMember(self.process, name, how.topic)

    def create_topic(self, topic: str, partitions: int) -> None:
        self.process.ask("create_topic", topic=topic, partitions=partitions)

    def partition_count(self, topic: str) -> int | None:
        count: int | None = self.process.ask("partition_count", topic=topic)
        return count

    def add_partitions(self, topic: str, total: int) -> None:
        self.process.ask("add_partitions", topic=topic, partitions=total)

    def delete_topic(self, topic: str) -> None:
        self.process.ask("delete_topic", topic=topic)

    def close(self) -> None:
        """The story is over. A program that cannot even close is no good for the next one."""
        if self.process.alive:
            try:
                self.process.ask("close")
            except ForeignError:
                self.process.kill()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ForeignReader:
    """A reader by the name it has in the program."""

    def __init__(self, process: Process, name: str) -> None:
        self.process, self.name = process, name

    def take(self, count: int) -> list[Record]:
        wait_ms = TIMERS["deadline_ms"]
        return records_of(self.process.ask("take", reader=self.name, count=count, wait_ms=wait_ms))

    def seek(self, partition: int, offset: int) -> None:
        self.process.ask("seek", reader=self.name, partition=partition, offset=offset)

    def pause(self, partition: int) -> None:
        self.process.ask("pause", reader=self.name, partition=partition)

    def resume(self, partition: int) -> None:
        self.process.ask("resume", reader=self.name, partition=partition)

    def close(self) -> None:
        if self.process.alive:
            self.process.ask("close_reader", reader=self.name)


class ForeignMember:
    """A member by the name it has in the program. What it owns is what its newest poll said."""

    def __init__(self, process: Process, name: str, topic: str) -> None:
        self.process, self.name, self.topic = process, name, topic
        self.rebalances = 0
        self.owned: frozenset[Partition] = frozenset()

    def poll(self, timeout_s: float) -> list[Record]:
        told = self.process.ask("poll", member=self.name, wait_ms=int(timeout_s * 1_000))
        self.owned = frozenset((self.topic, partition) for partition in told["owned"])
        self.rebalances = told["rebalances"]
        return records_of(told["records"])

    def assignment(self) -> frozenset[Partition]:
        return self.owned

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        chosen = None if offsets is None else {str(at): offset for at, offset in offsets.items()}
        self.process.ask("commit", member=self.name, offsets=chosen)

    def leave(self) -> None:
        if self.process.alive:
            self.process.ask("leave", member=self.name)

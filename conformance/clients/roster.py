"""Every client that tells stories: those that live in this process, and those that are programs.

A program is slow to build or adds little to the others where it is marked so; such clients speak only with
`--all-clients`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from conformance.clients.aiokafka.adapter import Aiokafka
from conformance.clients.confluent.adapter import Confluent
from conformance.clients.foreign import Foreign, Process
from conformance.clients.kafka_python.adapter import KafkaPython
from conformance.clients.kcat import adapter as kcat
from conformance.clients.programs import PROGRAMS, ROOT, Missing, Program
from conformance.clients.verbs import Client

IN_PROCESS: dict[str, Callable[[str], Client]] = {
    "kafka-python": KafkaPython,
    "confluent": Confluent,
    "aiokafka": Aiokafka,
    "kcat": kcat.Kcat,
}
EVERY_DAY = ("java-4.4.0", "franz-go", "kafkajs")
NAMES = (*IN_PROCESS, *PROGRAMS)
SLOW = frozenset(PROGRAMS) - frozenset(EVERY_DAY)


@dataclass
class Troupe:
    """The clients of one run. A program that told one story well tells the next one, too."""

    idle: dict[str, Process] = field(default_factory=dict)

    @contextlib.contextmanager
    def client(self, name: str, bootstrap: str) -> Iterator[Client]:
        """A client for one story, closed after it. Raises Missing if it cannot be had here."""
        if name in IN_PROCESS:
            client = _in_process(name, bootstrap)
            try:
                yield client
            finally:
                client.close()
            return
        process = self.idle.pop(name, None) or _started(PROGRAMS[name])
        try:
            with Foreign(process, bootstrap) as foreign:
                yield foreign
        except BaseException:
            # Whatever it is in the middle of, the next story is not to suffer from it.
            process.kill()
            raise
        if process.alive:
            self.idle[name] = process

    def mortal(self, name: str, bootstrap: str) -> Foreign:
        """The same client in a process of its own, which can be killed."""
        if name in PROGRAMS:
            return Foreign(_started(PROGRAMS[name]), bootstrap)
        command = [sys.executable, "-m", "conformance.clients.worker", name]
        return Foreign(Process(command, {"PYTHONPATH": str(ROOT)}), bootstrap)

    def close(self) -> None:
        """The run is over."""
        while self.idle:
            self.idle.popitem()[1].end()


def _in_process(name: str, bootstrap: str) -> Client:
    if name == "kcat" and (reason := kcat.why_missing()):
        raise Missing(reason)
    return IN_PROCESS[name](bootstrap)


def _started(program: Program) -> Process:
    if isinstance(program.ready, Missing):
        raise Missing(str(program.ready))
    return Process(program.ready, program.environment)

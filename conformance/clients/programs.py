"""Where the programs of foreign clients come from: built once from their folder, kept in the user's cache.

A build is named by a digest of its sources, so that an edit makes a new one and nothing is ever stale.
Promises a command to run, or a Missing with the reason: no such tool, no way to the registry.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.against_kafka.jars import cache_directory

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# A cold build downloads tens of megabytes and compiles them on two busy cores.
BUILD_TIMEOUT_S = 900


class Missing(RuntimeError):
    """A client cannot be had on this machine. Says why."""


@dataclass(frozen=True)
class Program:
    """A foreign client: its folder, what it takes to build it there, and the command that runs the result.

    `build` gets a writable copy of the folder; `command` gets the folder once it is built.
    """

    folder: str
    tools: tuple[str, ...]
    build: Callable[[Path], None]
    command: Callable[[Path], Sequence[str]]
    # Another folder whose files are built along: what the clients of one language share.
    common: str | None = None
    # What is not in the folder and yet makes a difference: the version of the library, say.
    variant: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def ready(self) -> Sequence[str] | Missing:
        """The command, after building if this is the first time; or why not, and that is not tried again."""
        digest = hashlib.sha256(self.variant.encode())
        for path in self._sources():
            digest.update(path.name.encode() + path.read_bytes())
        kept = cache_directory() / "clients"
        home = kept / "-".join(filter(None, (self.folder, self.variant, digest.hexdigest()[:12])))
        try:
            if not home.is_dir():
                self._build_in(home)
        except Missing as missing:
            return missing
        return self.command(home)

    def _sources(self) -> list[Path]:
        folders = filter(None, (self.folder, self.common))
        files = (path for folder in folders for path in sorted((HERE / folder).iterdir()))
        # Hidden files and folders (caches) are nobody's sources.
        return [path for path in files if path.is_file() and not path.name.startswith(".")]

    def _build_in(self, home: Path) -> None:
        for tool in self.tools:
            if shutil.which(tool) is None:
                raise Missing(f"{self.folder} needs `{tool}` on the PATH, and there is none")
        home.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and renamed: a half-built program is never run.
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-") as scratch:
            place = Path(scratch, "build")
            place.mkdir()
            for path in self._sources():
                shutil.copy(path, place)
            self.build(place)
            try:
                place.rename(home)
            except OSError:
                # Somebody else built the same meanwhile; theirs is as good as ours.
                if not home.is_dir():
                    raise


def _run(command: Sequence[str], place: Path) -> None:
    """One step of a build; what it printed last is the reason if it fails."""
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise Missing(f"`{' '.join(command)}` takes longer than {BUILD_TIMEOUT_S} s") from late
    if done.returncode:
        raise Missing(f"`{' '.join(command)}` failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")


def _java(version: str) -> Program:
    def build(place: Path) -> None:
        """Maven for the jars alone; one source file needs no build tool."""
        copy = ["mvn", "-q", "-B", f"-Dkafka.version={version}", "dependency:copy-dependencies"]
        _run([*copy, "-DincludeScope=runtime", "-DoutputDirectory=jars"], place)
        _run(
            ["javac", "-cp", "jars/*", "-d", "classes", *(path.name for path in place.glob("*.java"))], place
        )

    def command(home: Path) -> Sequence[str]:
        # Many short stories and no long one: compiling further than this costs more than it gains.
        flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Xshare:auto"]
        return ["java", *flags, "-cp", f"{home}/classes:{home}/jars/*", "Main"]

    return Program("java", ("java", "javac", "mvn"), build, command, variant=version)


def _go(folder: str) -> Program:
    def build(place: Path) -> None:
        _run(["go", "build", "-o", "client", "."], place)

    return Program(folder, ("go",), build, lambda home: [f"{home}/client"], common="go_common")


def _npm(folder: str) -> Program:
    def build(place: Path) -> None:
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], place)

    return Program(
        folder, ("node", "npm"), build, lambda home: ["node", f"{home}/main.mjs"], common="js_common"
    )


def _cargo(folder: str) -> Program:
    def build(place: Path) -> None:
        # The target directory is as large as it is useless afterwards.
        _run(["cargo", "install", "--quiet", "--path", ".", "--root", "."], place)
        shutil.rmtree(place / "target", ignore_errors=True)

    return Program(folder, ("cargo",), build, lambda home: [f"{home}/bin/client"])


def _venv(folder: str) -> Program:
    """A Python client that cannot share an environment with the others."""

    def build(place: Path) -> None:
        _run([sys.executable, "-m", "venv", "venv"], place)
        _run(["venv/bin/python", "-m", "pip", "install", "-q", "-r", "requirements.txt"], place)
        # It installs on any Python, and a release that is too old for this one fails only when it is used.
        _run(["venv/bin/python", "-c", "import kafka.producer"], place)

    def command(home: Path) -> Sequence[str]:
        return [f"{home}/venv/bin/python", "-m", f"conformance.clients.{folder}.main"]

    return Program(folder, (), build, command, environment={"PYTHONPATH": str(ROOT)})


PROGRAMS = {
    "java-4.4.0": _java("4.4.0"),
    "franz-go": _go("franz_go"),
    "kafkajs": _npm("kafkajs"),
    "sarama": _go("sarama"),
    "kafka-python-2.0.2": _venv("kafka_python_2"),
    "platformatic": _npm("platformatic"),
    "krafka": _cargo("krafka"),
    "kafka-go": _go("kafka_go"),
    "java-3.9.1": _java("3.9.1"),
    "java-2.8.2": _java("2.8.2"),
}

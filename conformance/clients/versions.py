"""Which release of its library each client uses, read from where it is chosen: nothing is listed twice."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib import metadata

from conformance.clients.programs import HERE, PROGRAMS

PYTHON_PACKAGES = {"kafka-python": "kafka-python", "confluent": "confluent-kafka", "aiokafka": "aiokafka"}
GO_MODULES = {
    "franz-go": "github.com/twmb/franz-go",
    "sarama": "github.com/IBM/sarama",
    "kafka-go": "github.com/segmentio/kafka-go",
}
NODE_PACKAGES = {"kafkajs": "kafkajs", "platformatic": "@platformatic/kafka"}


def library_of(name: str) -> str:
    """The library behind a client's name and its release, as in `confluent-kafka 2.16.1`.

    Raises KeyError for a name that is not on the roster.
    """
    if name in PYTHON_PACKAGES:
        package = PYTHON_PACKAGES[name]
        return f"{package} {metadata.version(package)}"
    if name == "kcat":
        return _kcat()
    program = PROGRAMS[name]
    if program.folder == "java":
        return f"kafka-clients {program.variant}"
    folder = HERE / program.folder
    if name in GO_MODULES:
        module = GO_MODULES[name]
        found = re.search(rf"{re.escape(module)} v(\S+)", (folder / "go.mod").read_text())
        assert found is not None, f"{folder}/go.mod requires no {module}"
        return f"{module.rpartition('/')[2]} {found[1]}"
    if name in NODE_PACKAGES:
        package = NODE_PACKAGES[name]
        return f"{package} {json.loads((folder / 'package.json').read_text())['dependencies'][package]}"
    if name == "krafka":
        chosen = tomllib.loads((folder / "Cargo.toml").read_text())["dependencies"]
        return f"krafka {chosen['krafka']['version']}"
    pinned = (folder / "requirements.txt").read_text().split()[0]
    return pinned.replace("==", " ")


def _kcat() -> str:
    """What is on the PATH; it says so itself, and which librdkafka it has."""
    try:
        said = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return "kcat (not installed)"
    found = re.search(r"Version (\S+) .*librdkafka (\S+)", said)
    return f"kcat {found[1]}, librdkafka {found[2]}" if found else "kcat"

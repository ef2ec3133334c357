"""What `mockbroker serve` was asked for: flags and environment, checked and made into one value.

Everything that can be known to be wrong before a socket is opened is refused here, with a sentence.  Broker
settings themselves are judged by the core.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mockbroker.serve.flags import Flag, Parser, number, one_of
from mockbroker.wire_target import wire_target

DEFAULT_BROKERS = 3
# Where people look for Kafka; with several brokers, this one and the next.
DEFAULT_PORT = 9092
VERSION = "4.4"

DESCRIPTION = """\
Run a cluster until SIGTERM or SIGINT.  When every broker listens and every topic exists, one line of JSON is
written to standard output; everything else goes to standard error.
"""
EPILOG = """\
A flag wins over its environment variable.  Exit codes: 0 stopped, 2 wrong usage, 3 a port is in use,
70 a bug in mockbroker.
"""


class TopicOption(NamedTuple):
    """A topic to begin with.

    -1 leaves the number of partitions to num.partitions, and puts a replica on each broker, three at most.
    """

    name: str
    partitions: int = -1
    replication_factor: int = -1


@dataclass(slots=True, frozen=True)
class ServeOptions:
    """A cluster to be served, and how to tell the world about it."""

    node_ids: tuple[int, ...]
    racks: Mapping[int, str]
    host: str
    ports: Mapping[int, int]
    advertise: str | None
    topics: tuple[TopicOption, ...]
    config: Mapping[str, str]
    friendly: bool
    seed: int
    ports_file: Path | None
    ready_fd: int | None
    log: str
    log_level: str
    log_wire: str | bool
    exit_with_parent: bool


def _numbers(text: str) -> tuple[int, ...]:
    read = number(0, 2**31 - 1)
    ids = tuple(read(one) for one in text.split(","))
    if len(set(ids)) < len(ids):
        raise ValueError(f"{text!r} names a broker twice")
    return ids


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    read = number(1, 65_535)
    if not dash or read(first) > read(last):
        raise ValueError(f"{text!r} is no range of ports; write 9092-9094")
    return range(read(first), read(last) + 1)


def _topic(text: str) -> TopicOption:
    name, *numbers = text.split(":")
    read = number(1)
    if not name or len(numbers) > 2:
        raise ValueError(f"{text!r} is no topic; write NAME, NAME:PARTITIONS or NAME:PARTITIONS:REPLICATION")
    return TopicOption(name, *map(read, numbers))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is no broker setting; write name=value")
    return name, value


def _version(text: str) -> str:
    if text != VERSION:
        raise ValueError(f"Kafka {text} is not emulated; this release does what Kafka {VERSION} does, only")
    return text


FLAGS = (
    Flag("--brokers", f"how many brokers ({DEFAULT_BROKERS})", number(1, 1000), "N"),
    Flag("--node-ids", "their ids, e.g. 1,2,3 (the default)", _numbers, "IDS"),
    Flag("--racks", "the rack of each broker, e.g. a,b,c", lambda text: text.split(","), "RACKS"),
    Flag(
        "--port",
        f"the first broker's port, the others have the next ones; 0: free ones are chosen ({DEFAULT_PORT})",
        number(0, 65_535),
        "PORT",
    ),
    Flag("--ports", "a range with a port for each broker, e.g. 9092-9094", _range, "A-B"),
    Flag("--host", "the address to listen on (127.0.0.1)", str, "HOST"),
    Flag(
        "--advertise",
        "the host that clients are told; auto: the one listened on, or 127.0.0.1 for 0.0.0.0 (auto)",
        str,
        "HOST",
    ),
    Flag(
        "--topic",
        "a topic to begin with, with num.partitions partitions and three replicas at most unless it says "
        "otherwise; may be repeated",
        _topic,
        "NAME[:PARTITIONS[:REPLICATION]]",
        repeats=True,
    ),
    Flag("--auto-create", "whether asking for an unknown topic creates it", None, negatable=True),
    Flag("--config", "a broker setting; may be repeated", _setting, "NAME=VALUE", "-c", repeats=True),
    Flag(
        "--defaults",
        "friendly: no waits that only slow tests down; kafka: exactly Kafka's (friendly)",
        one_of("friendly", "kafka"),
        "WHOSE",
    ),
    Flag("--seed", "makes ids and choices the same in every run (a new one each time)", number(0), "N"),
    Flag("--version", f"the release of Kafka to be ({VERSION})", _version, "X.Y"),
    Flag("--max-connections", "how many connections a broker holds: max.connections", number(0), "N"),
    Flag("--max-request", "how large a request may be: socket.request.max.bytes", number(1), "BYTES"),
    Flag("--ports-file", "write the ready line to this file, too", Path, "PATH"),
    Flag("--ready-fd", "write the ready line to this file descriptor, too, and close it", number(3), "N"),
    Flag("--log", "how to write to standard error: text or json (text)", one_of("text", "json"), "FORM"),
    Flag(
        "--log-level",
        "debug, info, warning or error (info)",
        one_of("debug", "info", "warning", "error"),
        "LEVEL",
    ),
    Flag(
        "--log-wire",
        "write every request and answer, decoded, a line each, to this file, or to standard error",
        wire_target,
        "FILE",
        bare="-",
    ),
    Flag("--exit-with-parent", "stop when the process that started this one is gone", None),
)

# Flags that are another way to say a broker setting.
_AS_SETTING = {
    "auto_create": "auto.create.topics.enable",
    "max_connections": "max.connections",
    "max_request": "socket.request.max.bytes",
}


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> ServeOptions:
    """Make options of a command line; what makes no sense ends the process with exit code 2."""
    parser = Parser("mockbroker serve", DESCRIPTION, FLAGS, EPILOG)
    given = parser.values(arguments, environment)
    try:
        node_ids = _node_ids(given)
        return ServeOptions(
            node_ids=node_ids,
            racks=_racks(given, node_ids),
            host=given["host"] or "127.0.0.1",
            ports=_ports(given, node_ids, arguments),
            advertise=None if given["advertise"] in (None, "auto") else given["advertise"],
            topics=tuple(given["topic"] or ()),
            config=_config(given),
            friendly=given["defaults"] != "kafka",
            seed=random.SystemRandom().randrange(2**32) if given["seed"] is None else given["seed"],
            ports_file=given["ports_file"],
            ready_fd=given["ready_fd"],
            log=given["log"] or "text",
            log_level=given["log_level"] or "info",
            log_wire=given["log_wire"] or False,
            exit_with_parent=bool(given["exit_with_parent"]),
        )
    except ValueError as wrong:
        parser.error(str(wrong))


def _node_ids(given: Mapping[str, Any]) -> tuple[int, ...]:
    ids: tuple[int, ...] | None = given["node_ids"]
    count: int | None = given["brokers"]
    if ids is None:
        return tuple(range(1, (count or DEFAULT_BROKERS) + 1))
    if count not in (None, len(ids)):
        raise ValueError(f"--brokers says {count} and --node-ids names {len(ids)}; give one of them")
    return ids


def _racks(given: Mapping[str, Any], node_ids: tuple[int, ...]) -> dict[int, str]:
    racks: list[str] = given["racks"] or []
    if racks and len(racks) != len(node_ids):
        raise ValueError(f"--racks names {len(racks)} racks for {len(node_ids)} brokers; name one for each")
    return dict(zip(node_ids, racks, strict=False))


def _ports(given: Mapping[str, Any], node_ids: tuple[int, ...], arguments: Sequence[str]) -> dict[int, int]:
    port: int | None = given["port"]
    ports: range | None = given["ports"]
    if port is not None and ports is not None:
        # One of them may come from the environment, and a flag wins over that.
        flagged = [name for name in ("--port", "--ports") if any(a.split("=")[0] == name for a in arguments)]
        if len(flagged) != 1:
            raise ValueError("--port and --ports exclude each other; give one of them")
        port, ports = (port, None) if flagged == ["--port"] else (None, ports)
    if ports is not None:
        if len(ports) != len(node_ids):
            raise ValueError(f"--ports has {len(ports)} ports for {len(node_ids)} brokers; give one for each")
        return dict(zip(node_ids, ports, strict=True))
    if port == 0:
        return dict.fromkeys(node_ids, 0)
    first = DEFAULT_PORT if port is None else port
    if first + len(node_ids) > 65_536:
        raise ValueError(f"{len(node_ids)} brokers from port {first} on need ports beyond 65535")
    return {node_id: first + offset for offset, node_id in enumerate(node_ids)}


def _config(given: Mapping[str, Any]) -> dict[str, str]:
    config: dict[str, str] = {}
    flagged = [(name, str(given[key]).lower()) for key, name in _AS_SETTING.items() if given[key] is not None]
    for name, value in (*flagged, *(given["config"] or ())):
        if config.setdefault(name, value) != value:
            raise ValueError(f"{name} is said to be both {config[name]} and {value}; say it once")
    return config

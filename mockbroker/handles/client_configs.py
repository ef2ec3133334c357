"""Settings for real clients: where the brokers are, and timers that make tests short.

Clients live by their own timers, the one thing that a broker cannot move, so they are made small here where they
come from outside.  Only timers: what a client does, such as where it begins to read or how many acknowledgements
it wants, is the app's own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Rebalances are noticed by heartbeats, so this is how long a live member takes to notice one.
HEARTBEAT_MS = 100
# group.min.session.timeout.ms: what brokers allow as the least.
SESSION_MS = 6_000
# A broker that was restarted is found again this soon.
RECONNECT_MS, RECONNECT_MAX_MS = 10, 50
# A refused request is tried again this soon.
RETRY_MS = 20
# How long a request waits that nobody answers: a paused broker, a dropped answer.
REQUEST_TIMEOUT_MS = 5_000
# New partitions, and topics that match a pattern, are seen this soon.
METADATA_AGE_MS = 1_000
# Offsets that a client commits by itself are there this soon.
AUTO_COMMIT_MS = 100


class JavaProperties(dict[str, str]):
    """Settings by Kafka's own names; as text they are a .properties file."""

    def __str__(self) -> str:
        return "".join(f"{name}={_escaped(value)}\n" for name, value in self.items())


class ClientConfigs:
    """What each client has to be told, as it wants to be told; `cluster.config`.

    Each method gives a new dictionary: without `group` for producers and admins, with it for consumers.  Some
    clients refuse what is not for them, and others complain.  Keyword arguments are more settings, which win.
    """

    def __init__(self, bootstrap: Callable[[], str]) -> None:
        self._bootstrap = bootstrap

    def confluent(self, group: str | None = None, **overrides: Any) -> dict[str, Any]:
        """For confluent-kafka, and everything that is made of librdkafka.

        Underscores in the names of `overrides` are dots.

        >>> cluster.config.confluent(group="billing", auto_offset_reset="earliest")["session.timeout.ms"]
        6000
        """
        settings: dict[str, Any] = {
            "bootstrap.servers": self._bootstrap(),
            "socket.timeout.ms": REQUEST_TIMEOUT_MS,
            # A paused broker still accepts connections, and says nothing over them.
            "socket.connection.setup.timeout.ms": REQUEST_TIMEOUT_MS,
            "reconnect.backoff.ms": RECONNECT_MS,
            "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
            "topic.metadata.refresh.interval.ms": METADATA_AGE_MS,
            # What it looks up again, and how soon, while a leader is missing.
            "topic.metadata.refresh.fast.interval.ms": RETRY_MS,
            # How long it hopes for a topic that does not exist: metadata is the same everywhere at once here.
            "topic.metadata.propagation.max.ms": METADATA_AGE_MS,
        }
        if group is None:
            settings |= {"retry.backoff.ms": RETRY_MS, "retry.backoff.max.ms": RECONNECT_MAX_MS}
        else:
            settings |= {
                "group.id": group,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "auto.commit.interval.ms": AUTO_COMMIT_MS,
                "fetch.error.backoff.ms": RETRY_MS,
            }
        return settings | _dotted(overrides)

    def kafka_python(self, group: str | None = None, **overrides: Any) -> dict[str, Any]:
        """For kafka-python: keyword arguments for its consumer, producer and admin client.

        >>> cluster.config.kafka_python(group="billing", client_id="app")["heartbeat_interval_ms"]
        100
        """
        settings: dict[str, Any] = {
            "bootstrap_servers": self._bootstrap().split(","),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_MS,
            "reconnect_backoff_ms": RECONNECT_MS,
            "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
            "metadata_max_age_ms": METADATA_AGE_MS,
        }
        return settings | _membership(group) | overrides

    def aiokafka(self, group: str | None = None, **overrides: Any) -> dict[str, Any]:
        """For aiokafka: keyword arguments for its consumer, producer and admin client.

        It has no setting for how soon it connects again.

        >>> cluster.config.aiokafka()["request_timeout_ms"]
        5000
        """
        settings: dict[str, Any] = {
            "bootstrap_servers": self._bootstrap(),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_MS,
            "metadata_max_age_ms": METADATA_AGE_MS,
        }
        return settings | _membership(group) | overrides

    def java_properties(self, group: str | None = None, **overrides: Any) -> JavaProperties:
        """For Java clients, and all that read their names: a dictionary, and as text a .properties file.

        Underscores in the names of `overrides` are dots.

        >>> print(cluster.config.java_properties(client_id="app"))  # doctest: +ELLIPSIS
        bootstrap.servers=127.0.0.1:...
        client.id=app
        <BLANKLINE>
        """
        settings: dict[str, Any] = {
            "bootstrap.servers": self._bootstrap(),
            "request.timeout.ms": REQUEST_TIMEOUT_MS,
            "retry.backoff.ms": RETRY_MS,
            "retry.backoff.max.ms": RECONNECT_MAX_MS,
            "reconnect.backoff.ms": RECONNECT_MS,
            "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
            "socket.connection.setup.timeout.ms": REQUEST_TIMEOUT_MS,
            "metadata.max.age.ms": METADATA_AGE_MS,
        }
        if group is not None:
            settings |= {
                "group.id": group,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "auto.commit.interval.ms": AUTO_COMMIT_MS,
            }
        settings |= _dotted(overrides)
        return JavaProperties({name: _text(value) for name, value in settings.items()})

    def env(self) -> dict[str, str]:
        """Environment variables for an app in a process of its own, to be merged into `os.environ`.

        The addresses of the brokers under the names that apps read: KAFKA_BOOTSTRAP_SERVERS, KAFKA_BROKERS,
        and SPRING_KAFKA_BOOTSTRAP_SERVERS for Spring.  Timers have no common names.

        >>> cluster.config.env()["KAFKA_BOOTSTRAP_SERVERS"] == cluster.bootstrap
        True
        """
        names = ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS", "SPRING_KAFKA_BOOTSTRAP_SERVERS")
        return dict.fromkeys(names, self._bootstrap())


def _membership(group: str | None) -> dict[str, Any]:
    """What the Python clients have to be told of a group; they share the names."""
    if group is None:
        return {}
    return {
        "group_id": group,
        "session_timeout_ms": SESSION_MS,
        "heartbeat_interval_ms": HEARTBEAT_MS,
        "auto_commit_interval_ms": AUTO_COMMIT_MS,
    }


def _dotted(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in overrides.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escaped(value: str) -> str:
    """A value as .properties files have it."""
    for char, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(char, escape)
    return "\\" + value if value.startswith(" ") else value

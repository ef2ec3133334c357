"""A Kafka-compatible broker emulator for tests.  This page is the front door and the map.

    from mockbroker import Cluster

    with Cluster(topics={"orders": 6}) as cluster:
        ...  # any Kafka client, with bootstrap servers = cluster.bootstrap

The package is a house of seven floors.  A module imports from its own floor or from below.

    6  cluster, options, waiting, pytest_plugin, cli    the doors that users come through
    5  server/                                          sockets and tasks; trio lives on 5 and 6 only
    4  conversation                                     one connection's state; a call's way to its answer
       timeline/ | ledger/ | checkers/                  what happened, told | each record's fate | verdicts
    3  handlers/ | faults/                              what an API does | what a test does to it
    2  core/                                            brokers, replicas, groups, time: no I/O, no luck
    1  records/                                         batches, compression, checksums
    0  protocol/                                        bytes to messages and back

Importing the package loads none of them: a pytest plugin is imported by every test run of every
project that has it installed, so the public names are fetched when they are first asked for.
"""

from typing import TYPE_CHECKING

__all__ = [
    "Api",
    "BrokerBug",
    "CheckFailed",
    "Cluster",
    "ErrorCode",
    "KafkaError",
    "UsageError",
    "WaitTimeout",
    "__version__",
    "open_cluster",
]

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from mockbroker.cluster import Cluster, open_cluster
    from mockbroker.core.usage import UsageError
    from mockbroker.handles.verdicts import CheckFailed
    from mockbroker.protocol.apis import Api
    from mockbroker.protocol.errors import ErrorCode, KafkaError
    from mockbroker.server.bugs import BrokerBug
    from mockbroker.waiting import WaitTimeout
else:
    # Hidden from type checkers, which would take any misspelled name for an `object` that is there.
    _HOMES = {
        "Api": "mockbroker.protocol.apis",
        "BrokerBug": "mockbroker.server.bugs",
        "CheckFailed": "mockbroker.handles.verdicts",
        "Cluster": "mockbroker.cluster",
        "ErrorCode": "mockbroker.protocol.errors",
        "KafkaError": "mockbroker.protocol.errors",
        "UsageError": "mockbroker.core.usage",
        "WaitTimeout": "mockbroker.waiting",
        "open_cluster": "mockbroker.cluster",
    }

    def __getattr__(name: str) -> object:
        """Fetch a public name from the module it lives in (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value  # so that this function is asked once per name
        return value

    def __dir__() -> list[str]:
        """Every public name, fetched or not: what an editor offers must not depend on what was used."""
        return sorted({*globals(), *_HOMES})

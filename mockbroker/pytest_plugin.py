"""pytest fixtures `mockbroker`, `mockbroker_session`, `make_mockbroker`, and the marker that configures them.

Nothing but pytest is imported until a fixture is used: having this plugin costs a test run nothing.
Settings come from, in this order: factory argument, marker, command line, MOCKBROKER_* environment, ini
file, default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockbroker.cluster import Cluster

MARKER = (
    "mockbroker(brokers=3, topics={}, config={}, defaults='friendly', seed=None, racks=(), wait='5s', ...): "
    "the arguments of mockbroker.Cluster for this test's `mockbroker` fixture."
)

_OPTIONS = {
    "seed": "Make ids and choices of every cluster the same again (an integer; a new one each run).",
    "wait": "The deadline of every wait: '5s', '500ms' or a number of seconds ('5s').",
}

_clusters = pytest.StashKey[list["Cluster"]]()
_shared = pytest.StashKey["Cluster"]()
_run_seed = pytest.StashKey[int]()

# Enough to see how a test went wrong; the whole history is on the cluster.
EVENTS_SHOWN = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer each setting on the command line and in the ini file."""
    group = parser.getgroup("mockbroker", "an in-process Kafka cluster")
    for name, told in _OPTIONS.items():
        group.addoption(f"--mockbroker-{name}", default=None, help=told)
        parser.addini(f"mockbroker_{name}", told, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, so that the run can be had again."""
    return f"mockbroker: seed {_seed(config)}"


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_configure_node(node: Any) -> None:
    """Let a worker of pytest-xdist have the seed that was printed, and not one of its own."""
    node.workerinput["mockbroker_seed"] = _seed(node.config)


def _setting(config: pytest.Config, name: str) -> str | None:
    given: str | None = config.getoption(f"--mockbroker-{name}")
    named = os.environ.get(f"MOCKBROKER_{name.upper()}")
    return given or named or config.getini(f"mockbroker_{name}") or None


def _seed(config: pytest.Config) -> int:
    if _run_seed not in config.stash:
        printed = getattr(config, "workerinput", {}).get("mockbroker_seed")
        given = _setting(config, "seed") if printed is None else printed
        try:
            config.stash[_run_seed] = int.from_bytes(os.urandom(4), "big") if given is None else int(given)
        except ValueError:
            raise pytest.UsageError(f"--mockbroker-seed wants an integer, got {given!r}") from None
    return config.stash[_run_seed]


def _settings(config: pytest.Config, *overrides: dict[str, Any]) -> dict[str, Any]:
    """What a cluster is made with; later overrides win."""
    settings: dict[str, Any] = {"seed": _seed(config)}
    wait = _setting(config, "wait")
    if wait is not None:
        settings["wait"] = float(wait) if wait.replace(".", "", 1).isdigit() else wait
    for override in overrides:
        settings.update(override)
    return settings


def _marked(node: pytest.Item) -> dict[str, Any]:
    """The arguments of the nearest marker, over those of markers further out."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("mockbroker"))):
        if marker.args:
            raise pytest.UsageError(f"{node.nodeid}: the mockbroker marker takes keyword arguments only")
        settings.update(marker.kwargs)
    return settings


@pytest.fixture
def make_mockbroker(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """Make clusters within a test, with the arguments of `mockbroker.Cluster`; closed when the test ends.

    >>> def test_two_clusters(make_mockbroker):
    ...     here, there = make_mockbroker(brokers=1), make_mockbroker(brokers=3)
    """
    from contextlib import ExitStack

    from mockbroker.cluster import Cluster

    node: pytest.Item = request.node
    made = node.stash.setdefault(_clusters, [])
    with ExitStack() as clusters:

        def make(**settings: Any) -> Cluster:
            cluster = clusters.enter_context(Cluster(**_settings(request.config, _marked(node), settings)))
            made.append(cluster)
            return cluster

        yield make


@pytest.fixture
def mockbroker(make_mockbroker: Callable[..., Cluster]) -> Cluster:
    """A new cluster for this test: three brokers, unless the marker says otherwise.

    >>> def test_order_is_billed(mockbroker):
    ...     mockbroker.topic("orders").create(partitions=3)
    """
    return make_mockbroker()


@pytest.fixture(scope="session")
def mockbroker_session(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One cluster for the whole run, for an app that is started once.

    After each test that uses it everything is wiped, topics and groups included; ports stay.
    """
    from mockbroker.cluster import Cluster

    with Cluster(**_settings(request.config)) as cluster:
        request.config.stash[_shared] = cluster
        yield cluster
        del request.config.stash[_shared]


def _used(item: pytest.Item) -> list[Cluster]:
    """The clusters that a test has to do with."""
    clusters: list[Cluster] = [*item.stash.get(_clusters, list["Cluster"]())]
    shared = item.config.stash.get(_shared, None)
    if shared is not None and "mockbroker_session" in getattr(item, "fixturenames", ()):
        clusters.append(shared)
    return clusters


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A bug of mockbroker's own is the failure of the test that met it, and not only of its teardown."""
    yield
    for cluster in _used(item):
        cluster.raise_bugs()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Leave the shared cluster as the next test wants to find it, its bugs with the test that met them."""
    shared = item.config.stash.get(_shared, None)
    if shared is not None and shared in _used(item):
        shared.reset()
        shared.raise_bugs()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the brokers saw, and what went wrong with them while they saw it."""
    report = yield
    if report.failed:
        for cluster in _used(item):
            events = list(cluster.history.events)[-EVENTS_SHOWN:]
            lines = [f"{cluster!r} at {call.when}", *(event.line() for event in events)]
            lines += [str(bug) for bug in cluster.bugs]
            report.sections.append(("mockbroker", "\n".join(lines)))
    return report

"""pytest fixtures `mockbroker`, `mockbroker_session`, `make_mockbroker`, and the marker that configures them.

Nothing but pytest is imported until a fixture is used or an option given: having this plugin costs a test run
nothing.  Settings come from, in this order: factory argument, marker, command line, MOCKBROKER_* environment, ini
file, default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mockbroker.pytest_options import (
    MARKER,
    add_options,
    check_options,
    cluster_settings,
    marked,
    seed_of,
    setting,
)

if TYPE_CHECKING:
    from types import TracebackType

    from mockbroker.cluster import Cluster
    from mockbroker.external.cluster import ExternalCluster
    from mockbroker.timeline.evidence import Evidence

ARTIFACTS = ".mockbroker"

_clusters = pytest.StashKey[list["Cluster"]]()
_shared = pytest.StashKey["Cluster"]()
_real = pytest.StashKey["ExternalCluster"]()
_leaked = pytest.StashKey[list[str]]()
_failed = pytest.StashKey[bool]()
# Clusters whose example is over.
_over = pytest.StashKey[list["Cluster"]]()
_kept = pytest.StashKey[bool]()
# How things stood with the shared cluster before it was wiped, for a report that is made later.
_wiped = pytest.StashKey["Evidence"]()

# With this word in it, pytest shows a section of a teardown with the failure of its test.
LEAKS_TITLE = "mockbroker: clients still connected at teardown"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer each setting on the command line and in the ini file."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse at once what makes no sense."""
    config.addinivalue_line("markers", MARKER)
    check_options(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, so that the run can be had again."""
    external = setting(config, "external")
    if external is not None:
        return f"mockbroker: the real Kafka at {external}"
    return f"mockbroker: seed {seed_of(config)}"


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_configure_node(node: Any) -> None:
    """Let a worker of pytest-xdist have the seed that was printed, and not one of its own."""
    node.workerinput["mockbroker_seed"] = seed_of(node.config)


@pytest.fixture
def make_mockbroker(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """Make clusters within a test, with the arguments of `mockbroker.Cluster`; closed when the test ends.

    In a Hypothesis test they are closed when the example ends that has made them.

    >>> def test_two_clusters(make_mockbroker):
    ...     here, there = make_mockbroker(brokers=1), make_mockbroker(brokers=3)
    """
    node: pytest.Item = request.node
    external = setting(request.config, "external")
    if external is not None:
        yield from _make_external(node, external)
        return
    from mockbroker.cluster import Cluster
    from mockbroker.examples import when_example_ends

    made, over = node.stash.setdefault(_clusters, []), node.stash.setdefault(_over, [])
    with ExitStack() as clusters:

        def make(**settings: Any) -> Cluster:
            given = cluster_settings(request.config, marked(node), settings)
            cluster = Cluster(**given).start()
            # What is left of earlier examples has been told of by now, and only takes memory.
            made[:] = [*(one for one in made if one not in over), cluster]
            over.clear()
            if not when_example_ends(lambda: _end_example(node, cluster)):
                clusters.callback(_close, node, cluster)
            return cluster

        yield make
    _fail_for(_unfired(node, [cluster for cluster in made if cluster not in over]))


def _end_example(node: pytest.Item, cluster: Cluster) -> None:
    """The end of a cluster that belongs to one example of a test; its faults are judged with it."""
    from mockbroker.examples import failing

    failed = failing()
    node.stash[_over].append(cluster)
    _close(node, cluster)
    if not failed:
        # With a trace, because pytest shows what Hypothesis notes of the example only beside one.
        _fail_for(_unfired(node, [cluster]), pytrace=True)


def _close(node: pytest.Item, cluster: Cluster) -> None:
    """Close a cluster, and remember who was still connected."""
    try:
        cluster.close()
    finally:
        node.stash.setdefault(_leaked, []).extend(_leaks([cluster]))


def _make_external(node: pytest.Item, external: str) -> Iterator[Callable[..., Any]]:
    """The same for a real Kafka, of which there is only one."""
    from mockbroker.external.cluster import ExternalCluster

    with ExitStack() as clusters:
        made = list[ExternalCluster]()

        def make(**settings: Any) -> ExternalCluster:
            given = cluster_settings(node.config, marked(node), settings)
            if made:
                made[0].skip("the test wants another cluster beside it")
            made.append(clusters.enter_context(ExternalCluster(external, **given)))
            return made[0]

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
    external = setting(request.config, "external")
    if external is not None:
        from mockbroker.external.cluster import ExternalCluster

        with ExternalCluster(external, **cluster_settings(request.config)) as real:
            request.config.stash[_real] = real
            yield real  # type: ignore[misc]  # as far as a real Kafka can be one
            del request.config.stash[_real]
        return
    from mockbroker.cluster import Cluster

    with Cluster(**cluster_settings(request.config)) as cluster:
        request.config.stash[_shared] = cluster
        yield cluster
        del request.config.stash[_shared]
    request.config.stash[_leaked] = _leaks([cluster])


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
    real = item.config.stash.get(_real, None)
    if real is not None and "mockbroker_session" in getattr(item, "fixturenames", ()):
        real.reset()
    shared = item.config.stash.get(_shared, None)
    if shared is not None and shared in _used(item):
        from mockbroker.failure_report import evidence_of

        unfired = _unfired(item, [shared])
        if unfired:
            item.stash[_wiped] = evidence_of(shared)
        shared.reset()
        shared.raise_bugs()
        _fail_for(unfired)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the brokers saw, and what went wrong with them while they saw it."""
    shown = setting(item.config, "timeline") or "on-failure"
    if call.excinfo is not None:
        _shorten(call.excinfo, item, timeline=shown != "never" and bool(_used(item)))
    report = yield
    if report.failed:
        item.stash[_failed] = True
    if report.failed or (shown == "always" and call.when == "call"):
        _tell(item, report, printed=shown != "never")
    if call.when == "teardown" and (leaks := item.stash.get(_leaked, None)):
        report.sections.append((LEAKS_TITLE, "\n".join(leaks)))
    return report


def _shorten(raised: pytest.ExceptionInfo[BaseException], item: pytest.Item, *, timeline: bool) -> None:
    """Let a failure that mockbroker explains end in the line of the test, and say once what its report says."""
    error = raised.value
    if not isinstance(error, AssertionError):
        return  # whoever looks for a bug wants to see all of it
    if not item.config.getoption("fulltrace"):
        _end_outside(raised.tb)
    brief = getattr(error, "brief", None)
    if timeline and isinstance(brief, str):
        error.args = (brief,)


def _end_outside(trace: TracebackType) -> None:
    """Cut what a traceback has behind its last line that is not mockbroker's."""
    own = Path(__file__).parent
    last, entry = trace, trace.tb_next
    while entry is not None:
        if own not in Path(entry.tb_frame.f_code.co_filename).parents:
            last = entry
        entry = entry.tb_next
    last.tb_next = None


def _tell(item: pytest.Item, report: pytest.TestReport, *, printed: bool) -> None:
    """Put a section into the report for each cluster, and its whole history into files."""
    from mockbroker.failure_report import evidence_of, file_stem, report_of, title_of, write_artifacts

    folder = item.config.rootpath / (setting(item.config, "artifacts") or ARTIFACTS)
    for number, cluster in enumerate(_used(item)):
        wiped = item.stash.get(_wiped, None) if cluster is item.config.stash.get(_shared, None) else None
        evidence: Evidence = wiped or evidence_of(cluster)
        title = title_of(cluster)
        try:
            page = write_artifacts(
                evidence, folder, file_stem(item.nodeid, number), f"{item.nodeid}: {title}"
            )
            full_log = os.path.relpath(page, item.config.rootpath)
        except OSError as failed:
            full_log = f"could not be written ({failed})"
        if printed:
            report.sections.append((title, report_of(evidence, full_log)))


def pytest_exception_interact(node: pytest.Item | pytest.Collector, report: Any) -> None:
    """Keep the cluster of the first failed test that has one up, if that is wanted."""
    wanted = setting(node.config, "keep")
    if wanted is None or not isinstance(node, pytest.Item) or node.config.stash.get(_kept, False):
        return
    if report.when != "teardown" and (clusters := _used(node)):
        from mockbroker.keeping import keep, kept_s

        node.config.stash[_kept] = keep(node.config, node.nodeid, clusters, kept_s(wanted))


def _unfired(node: pytest.Item, clusters: list[Cluster]) -> list[str]:
    """The faults that never acted; of a test that has failed they are told in its report."""
    from mockbroker.failure_report import unfired_of

    return [] if node.stash.get(_failed, False) else [told for one in clusters for told in unfired_of(one)]


def _fail_for(unfired: list[str], *, pytrace: bool = False) -> None:
    """A test whose faults never acted has not shown what it is about."""
    if unfired:
        told = "\n".join(f"  {line}" for line in unfired)
        pytest.fail(
            f"a fault that this test has armed never acted, so nothing was shown by it:\n{told}\n"
            "(optional=True lets one be idle, strict_faults=False all of a cluster)",
            pytrace=pytrace,
        )


def _leaks(clusters: list[Cluster]) -> list[str]:
    """Whoever was still connected when everything that used a cluster was over was forgotten."""
    from mockbroker.leaks import leaks_of

    return [line for cluster in clusters if cluster.is_open for line in leaks_of(cluster)]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the tests that left clients behind; they slow the next ones down, and a run's end."""
    told = [
        f"{report.nodeid}: {line}"
        for reports in terminalreporter.stats.values()
        for report in reports
        for title, text in getattr(report, "sections", ())
        if title == LEAKS_TITLE
        for line in text.splitlines()
    ]
    told += [f"mockbroker_session: {line}" for line in config.stash.get(_leaked, ())]
    if told:
        terminalreporter.section(LEAKS_TITLE, sep="-")
        for line in told:
            terminalreporter.line(line)

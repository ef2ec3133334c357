"""The clients of a run; and with `--keep-results`, how each story ended is kept for the page: see keeping.py."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from conformance.clients.keeping import RECOVERY, Keeper
from conformance.clients.roster import Troupe

KEEPER = pytest.StashKey[Keeper]()


@pytest.fixture(scope="session")
def troupe() -> Iterator[Troupe]:
    """The clients that are programs live as long as the run."""
    troupe = Troupe()
    yield troupe
    troupe.close()


def pytest_configure(config: pytest.Config) -> None:
    """A run that keeps nothing has no keeper."""
    if not config.getoption("--keep-results", default=False):
        return
    if config.getoption("--kafka-bootstrap"):
        raise pytest.UsageError("--keep-results wants to know the release: use it with --against-kafka")
    config.stash[KEEPER] = Keeper(config.getoption("--against-kafka"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """One story, one outcome: its call, or what kept it from being called."""
    report = yield
    keeper = item.config.stash.get(KEEPER, None)
    told = getattr(item, "callspec", None)
    if keeper is not None and told is not None and "story" in told.params:
        client, story = told.params["name"], told.params["story"].slug
        if report.when == "call" or not report.passed:
            keeper.told(client, story, _outcome(report))
        for name, value in item.user_properties if report.when == "call" and report.passed else ():
            if name == RECOVERY:
                assert isinstance(value, float)
                keeper.recovered(client, story, value)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it all at once."""
    if (keeper := session.config.stash.get(KEEPER, None)) is not None:
        keeper.write()


def _outcome(report: pytest.TestReport) -> str:
    if report.passed:
        return "passed"
    if report.skipped and isinstance(report.longrepr, tuple):
        return f"skipped: {report.longrepr[2].removeprefix('Skipped: ')}"
    crash = getattr(report.longrepr, "reprcrash", None)
    return f"failed: {crash.message if crash else report.longreprtext}"

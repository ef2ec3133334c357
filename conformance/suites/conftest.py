"""The suites take minutes and reach for registries, so they run when they are asked for.

`--suites` asks for all of them, `--suites-smoke` for what fits into every change's own checks: kafka-python's
whole suite and those of librdkafka's tests that are quick and between them touch most of what it does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.suites.keeping import keep
from conformance.suites.outcomes import Outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line, as `pytest conformance/suites --suites`."""
    group = parser.getgroup("conformance")
    group.addoption(
        "--suites", action="store_true", help="run the peers' own test suites; the first time fetches them"
    )
    group.addoption(
        "--suites-smoke", action="store_true", help="of these suites, those tests that take minutes in all"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what nobody asked for, and keep the tests of what stands around the suites."""
    if config.getoption("--suites", default=False):
        return
    smoke = config.getoption("--suites-smoke", default=False)
    suites = [
        item
        for item in items
        if item.get_closest_marker("suite") and not (smoke and item.get_closest_marker("smoke"))
    ]
    config.hook.pytest_deselected(items=suites)
    items[:] = [item for item in items if item not in suites]


def pytest_configure(config: pytest.Config) -> None:
    """The markers by which they are known."""
    config.addinivalue_line("markers", "suite: a test of a peer's own suite")
    config.addinivalue_line("markers", "smoke: of a peer's suite, one that --suites-smoke runs")


@pytest.fixture
def ended(pytestconfig: pytest.Config) -> Callable[[str, str, Outcome], None]:
    """Takes the suite, the test and how it ended, which `--keep-results` keeps for the page; see keeping.py."""
    if pytestconfig.getoption("--keep-results", default=False):
        return keep
    return lambda *_: None

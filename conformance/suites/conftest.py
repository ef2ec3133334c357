"""The suites take minutes and reach for registries, so they run when they are asked for: `--suites`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line, as `pytest conformance/suites --suites`."""
    parser.getgroup("conformance").addoption(
        "--suites", action="store_true", help="run the peers' own test suites; the first time fetches them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the suites out, and keep the tests of what stands around them."""
    if config.getoption("--suites", default=False):
        return
    suites = [item for item in items if item.get_closest_marker("suite")]
    config.hook.pytest_deselected(items=suites)
    items[:] = [item for item in items if item not in suites]


def pytest_configure(config: pytest.Config) -> None:
    """The marker by which they are known."""
    config.addinivalue_line("markers", "suite: a test of a peer's own suite")

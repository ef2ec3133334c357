"""What every test run shares: how hard Hypothesis tries, and an honest last word about skips.

The plugin of mockbroker itself is not loaded here: it comes through its entry point, as it comes to
our users, and pytest refuses to load it twice.  So these tests want an installed mockbroker
(`pip install -e '.[test]'`).

Profiles: `dev` by default, `ci` where the environment says CI, `soak` where it says MOCKBROKER_SOAK;
HYPOTHESIS_PROFILE names one by hand.  A test that sets `max_examples` itself sets it for all of them.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Test files that test our plugin.  Here, because its options must be known before the command line is read.
pytest_plugins = ["pytester"]

# No deadlines: a busy machine is not a bug.  `print_blob`: a failure found elsewhere can be repeated here.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("dev"), suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "soak", settings.get_profile("ci"), max_examples=20_000, stateful_step_count=200, database=None
)


def profile() -> str:
    """Name the Hypothesis profile of this run."""
    if "HYPOTHESIS_PROFILE" in os.environ:
        return os.environ["HYPOTHESIS_PROFILE"]
    if os.environ.get("MOCKBROKER_SOAK"):
        return "soak"
    return "ci" if os.environ.get("CI") else "dev"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile, and where nobody keeps Hypothesis' own memory of failures, a seed to print."""
    settings.load_profile(profile())
    # A forced seed switches Hypothesis' database off, so at a desk, where it helps, none is forced.
    if profile() != "dev" and config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to have the same run again."""
    seed = config.getoption("hypothesis_seed", None)
    again = "" if seed is None else f", repeat with --hypothesis-seed={seed}"
    return f"examples: profile {profile()}{again}"


def reasons(reports: list[pytest.TestReport]) -> Iterator[str]:
    """Give the reason of each skipped test, as its author wrote it."""
    for report in reports:
        where_and_why = report.longrepr
        if isinstance(where_and_why, tuple):
            yield where_and_why[2].removeprefix("Skipped: ")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skips by reason, so that a machine without Java does not look like a full run."""
    counted = Counter(reasons(terminalreporter.stats.get("skipped", [])))
    for reason, times in sorted(counted.items()):
        terminalreporter.write_line(f"skipped {times}: {reason}")

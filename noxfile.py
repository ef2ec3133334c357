"""Everything that is ever run on this code, by name: `nox -s tests`, `nox -s lint types`, ...

Each session installs what it needs into an environment of its own; arguments behind `--` go to the
tool.  Continuous integration runs the same sessions, so there is no second way to be green.
"""

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["tests", "types", "lint"]
nox.options.reuse_existing_virtualenvs = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
SOAKED = (
    "tests/core/machines",
    "tests/faults/test_groups_under_rules.py",
    "tests/faults/test_rules_at_random.py",
    "tests/ghosts/test_ghosts_at_random.py",
    "tests/ledger/test_ledger_machine.py",
)
# Three seeds, so that each hunt sees other conversations; the same ones every time.
HUNTS = [("conformance.generated", "--conversations", "2000", "--seed", str(seed)) for seed in (1, 2, 3)]
# All that the report tells of, with the results kept: hours, and every tool that a client is built with.
MEASUREMENTS = [
    *(
        ("python", "-m", "conformance.cases.record", "--check", "--keep", "--version", release)
        for release in ("4.4.0", "3.9.1")
    ),
    *(("python", "-m", *hunt, "--keep") for hunt in HUNTS),
    ("pytest", "conformance/generated", "--all-clients", "--keep-results"),
    ("pytest", "conformance/clients", "--all-clients", "--keep-results"),
    (
        *("pytest", "conformance/clients", "--all-clients", "--keep-results"),
        *("--against-kafka=4.4.0", "--kafka-nodes=3"),
    ),
    ("python", "-m", "conformance.clients.in_a_row", "--keep"),
    ("pytest", "conformance/suites", "--suites", "--keep-results"),
]


def install(session: nox.Session, *groups: str) -> None:
    """Install mockbroker as it stands here, and dependency groups (read here: any pip will do)."""
    session.install("-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the package's own tests."""
    install(session, "test")
    session.run("pytest", "tests", *session.posargs)


@nox.session
def flake(session: nox.Session) -> None:
    """Run the eleven tests so many times in a row: `-- 100`, `-- 100 --busy 2`, or others: `-- 100 FILE -k NAME`."""
    install(session, "test")
    session.run("python", "-m", "tests.flake", *(session.posargs or ["100"]))


@nox.session
def types(session: nox.Session) -> None:
    """Check every annotation; the clients are installed because the tests call them."""
    install(session, "test", "types")
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code's form; nothing of mockbroker is imported."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def floors(session: nox.Session) -> None:
    """Check what the code itself looks like: who imports whom, how long, how tidy."""
    install(session)
    session.install("pytest", "hypothesis")
    session.run("pytest", "tests/test_floors.py", "tests/test_tidy.py", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Let real clients judge mockbroker; `-- --against-kafka=4.4.0` lets them judge a real Kafka."""
    install(session, "test")
    session.run("pytest", "-rs", "conformance", *session.posargs)


@nox.session
def record(session: nox.Session) -> None:
    """Put every case to a real Kafka; fails if an answer is not as recorded, and keeps it unless `-- --check`."""
    install(session, "test")
    session.run("python", "-m", "conformance.cases.record", *session.posargs)


@nox.session
def generated(session: nox.Session) -> None:
    """Put random conversations to mockbroker and to a real Kafka, and print the first difference as a case."""
    install(session, "test")
    session.run("python", "-m", "conformance.generated", *(session.posargs or ["--conversations", "300"]))


@nox.session
def kafka(session: nox.Session) -> None:
    """Ask a real Kafka everything again, for an hour or two: all cases, and 2,000 conversations of three seeds."""
    install(session, "test")
    session.run("python", "-m", "conformance.cases.record", *session.posargs)
    for hunt in HUNTS:
        session.run("python", "-m", *hunt)


@nox.session
def suites(session: nox.Session) -> None:
    """Run the own suites of kafka-python, librdkafka and sarama against mockbroker: half an hour and more.

    `-- --suites-smoke` runs only what takes minutes.
    """
    install(session, "test")
    which = [] if "--suites-smoke" in session.posargs else ["--suites"]
    session.run("pytest", "conformance/suites", *which, "-rxXs", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write COMPATIBILITY.md from the cases and the kept results; `-- --run` first measures everything anew."""
    install(session, "test")
    if "--run" in session.posargs:
        for command in MEASUREMENTS:
            # What fails belongs on the page, too; it does not keep the rest from being measured.
            session.run(*command, success_codes=[0, 1])
    session.run("python", "-m", "conformance.report", *(each for each in session.posargs if each != "--run"))


@nox.session
def bench(session: nox.Session) -> None:
    """Time the hot paths; only ratios above 1.5 mean anything on a shared machine."""
    install(session, "test")
    session.run("python", "-m", "conformance.benchmarks", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the state machines, and rules at random, for as long as patience lasts; see tests/conftest.py."""
    install(session, "test")
    session.run("pytest", *SOAKED, *session.posargs, env={"MOCKBROKER_SOAK": "1"})

"""Everything that is ever run on this code, by name: `nox -s tests`, `nox -s lint types`, ...

Each session installs what it needs into an environment of its own; arguments behind `--` go to the
tool.  Continuous integration runs the same sessions, so there is no second way to be green.
"""

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["tests", "types", "lint"]
nox.options.reuse_existing_virtualenvs = True

PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install mockbroker as it stands here, and dependency groups (read here: any pip will do)."""
    session.install("-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the package's own tests."""
    install(session, "test")
    session.run("pytest", "tests", *session.posargs)


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
def kafka(session: nox.Session) -> None:
    """Put every case to a real Kafka again; fails if an answer is not as recorded, and keeps the new one."""
    install(session, "test")
    session.run("python", "-m", "conformance.cases.record", *(session.posargs or ["--version", "4.4.0"]))


@nox.session
def generated(session: nox.Session) -> None:
    """Put random conversations to mockbroker and to a real Kafka, and print the first difference as a case."""
    install(session, "test")
    session.run("python", "-m", "conformance.generated", *(session.posargs or ["--conversations", "300"]))


@nox.session
def suites(session: nox.Session) -> None:
    """Run the own suites of kafka-python, librdkafka and sarama against mockbroker: half an hour and more."""
    install(session, "test")
    session.run("pytest", "conformance/suites", "--suites", "-rxXs", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time the hot paths; only ratios above 1.5 mean anything on a shared machine."""
    install(session, "test")
    session.run("python", "-m", "conformance.benchmarks", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the state machines for as long as patience lasts; see the profile in tests/conftest.py."""
    install(session, "test")
    session.run("pytest", "tests/core/machines", *session.posargs, env={"MOCKBROKER_SOAK": "1"})

"""What the slow judges found, kept as data in this folder: `COMPATIBILITY.md` is written from it.

    keep("clients", "mockbroker", {"kafka-python": {"group-of-two": "passed"}}, {"kafka-python": "3.0.12"})
    load("clients")["mockbroker"]["kafka-python"]["group-of-two"]

A run keeps nothing unless it is told to: `pytest --keep-results` (ask `config.getoption("--keep-results")`),
and `--keep` of programs that are not pytest.  `keep` merges: what it is not given stays as it was, so a run of
one client or one seed leaves the others alone.  A value None takes its key out, as for a story renamed.

A file is `{"about": {part: {...}}, part: {...}, ...}`.  `keep` fills `about` itself: the day, the Python, and the
versions it is given (client libraries, "kafka": "4.4.0"), which are merged, too.  An outcome is one line:
`passed`, `failed: why` or `skipped: why` (suites say `empty: why`); for suites the `why` is the excused feature.

cases.json
    "4.4.0", "3.9.1"    {"cases", "changed", "failed"}: how the last run over all of them ended, on real brokers
generated.json
    runs        release -> seed -> piece -> {"conversations", "steps", "deaths", "differences"}
                {"4.4.0": {"1": {"1-500": {"conversations": 500, "steps": 12345, "deaths": 0, "differences": 0}}}}
                A piece is FIRST-LAST; a seed played with deaths is another one: "1 with deaths". A piece within
                another is not counted twice, so a seed may be repeated in one go later.
    mutations   name of the mistake -> in how many conversations it was found (0: it was not)
                {"a_duplicate_is_appended_again": 12}
clients.json
    mockbroker, "kafka 4.4.0"           client (as in roster.py) -> story (its slug) -> outcome
deaths.json
    mockbroker, "kafka 4.4.0"           client -> story -> [seconds from the crash until records flow again, ...]
    "in a row"                          client -> story -> {"repeats": 50, "failures": 0}, on mockbroker
suites.json
    kafka_python, librdkafka, sarama    test -> outcome; a suite run in two ways has two parts, "kafka_python asyncio"
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NAMES = ("cases", "generated", "clients", "deaths", "suites")
ABOUT = "about"


def load(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What is kept under this name; nothing if nothing ever was."""
    file = _file(name, folder)
    if not file.exists():
        return {}
    kept: dict[str, Any] = json.loads(file.read_text())
    return kept


def keep(
    name: str,
    part: str,
    data: Mapping[str, Any],
    versions: Mapping[str, str] | None = None,
    folder: Path = FOLDER,
) -> None:
    """Merge `data` into one part of the file, and note the day and the versions it was found with.

    Safe beside other runs that keep, and an interrupted one leaves the old file whole.
    """
    if part == ABOUT:
        raise ValueError(f"{ABOUT!r} is written by keep() itself: give `versions`")
    file = _file(name, folder)
    with _alone(folder):
        kept = load(name, folder)
        about = {"date": datetime.now(UTC).date().isoformat(), "python": platform.python_version()}
        news = {ABOUT: {part: {**about, "versions": versions or {}}}, part: data}
        text = json.dumps(merged(kept, news), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        new = file.with_suffix(".new")
        new.write_text(text)
        new.replace(file)


def merged(old: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the news where they disagree; mappings are merged, everything else is replaced, None is taken out."""
    result = dict(old)
    for key, value in news.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _file(name: str, folder: Path) -> Path:
    if name not in NAMES:
        raise ValueError(f"no results are kept as {name!r}; there are {', '.join(NAMES)}")
    return folder / f"{name}.json"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else reads and writes in between."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

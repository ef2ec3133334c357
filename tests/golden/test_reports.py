"""What failures print, as golden files, to be read as a stranger reads them who must mend the test.

Times, ports and ids are written by name.  With MOCKBROKER_WRITE_GOLDEN=1 the files are written anew; read them
before you keep them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent
STORIES = ["latest_race", "zombie_commit", "stuck_rebalance", "never_hit", "held_request"]

# Where a line is broken depends on how long a time is, so here none is.
SOURCE = """
    from mockbroker.timeline import report
    from tests.golden.stories import {story}

    def test_it(mockbroker, monkeypatch):
        monkeypatch.setattr(report, "TEXT_WIDTH", 10_000)
        {story}(mockbroker)
"""

# In this order: what is replaced first is gone for the next.
_NAMES = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"(app-[ab])-[0-9a-f]{8}\b"), r"\1-UUID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST:PORT"),
    (re.compile(r"(?m)^ *\d+\.\d (?=\S+ )"), "     T.T "),
    (re.compile(r"\d+\.\d (ms|s)\b"), "T s"),
    # A machine that is busy with something else.
    (re.compile(r"  \(after T s\)"), ""),
    (re.compile(r"(?m)^.*---- nothing for T s ----\n"), ""),
    (re.compile(r"no further request for T s: "), ""),
    (re.compile(r" +\["), "  ["),
    (re.compile(r"\(x \d+ until \d+\.\d\)"), "(x N until T.T)"),
    (re.compile(r"-[0-9a-f]{8}\.html"), "-HASH.html"),
)


# Whether the server has noticed yet that a client of the test has hung up is chance; it is owed an answer till then.
_CHANCE = re.compile(r"(?m)^.*(the connection ended|-> no answer yet).*\n")


def normal(text: str) -> str:
    text = _CHANCE.sub("", text)
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    return text


@pytest.mark.parametrize("story", STORIES)
def test_a_failure_prints_what_a_stranger_needs(
    story: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOCKBROKER_SEED", "MOCKBROKER_TIMELINE", "MOCKBROKER_ARTIFACTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(SOURCE.format(story=story))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mockbroker-seed=7", "--tb=line")
    result.assert_outcomes(failed=1)
    (start,) = [n for n, line in enumerate(result.outlines) if "mockbroker timeline (" in line]
    (end,) = [n for n, line in enumerate(result.outlines) if "full log: " in line]
    told = normal("\n".join(result.outlines[start : end + 1])) + "\n"
    golden = GOLDEN / f"{story}.txt"
    if os.environ.get("MOCKBROKER_WRITE_GOLDEN"):
        golden.write_text(told, "utf-8")
    assert told.splitlines() == golden.read_text("utf-8").splitlines()

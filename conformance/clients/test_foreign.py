"""The line protocol's own side: what it says of programs that fail, end, or cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.clients.foreign import ForeignError, Process
from conformance.clients.lines import lines_of, records_of
from conformance.clients.programs import Missing, Program
from conformance.clients.verbs import Record


def _program(*lines: str) -> Process:
    return Process([sys.executable, "-c", "\n".join(("import sys", *lines))])


def test_a_record_comes_back_from_a_line_as_it_was() -> None:
    records = [
        Record(b"\x00\xff", b"", (("a", None), ("a", b"")), 3, 1_700_000_000_000, 7),
        Record(None, None, partition=None),
    ]
    assert records_of(lines_of(records)) == records


def test_what_a_client_complains_of_is_raised() -> None:
    process = _program('for line in sys.stdin: print(\'{"error": "no leader"}\', flush=True)')
    with pytest.raises(ForeignError, match="produce: no leader"):
        process.ask("produce")
    process.end()


def test_a_program_that_ends_instead_of_answering_is_quoted() -> None:
    process = _program("sys.stdin.readline()", "sys.exit('out of luck')")
    with pytest.raises(ForeignError, match=r"(?s)gave no answer to `open`.*out of luck"):
        process.ask("open")
    process.end()


def test_a_killed_program_takes_no_more_orders() -> None:
    process = _program("sys.stdin.readline()")
    process.kill()
    assert not process.alive


def test_a_client_whose_tool_is_not_here_is_missing_and_says_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MOCKBROKER_CACHE", str(tmp_path))
    program = Program("java", ("no-such-tool",), lambda _: None, lambda _: [])
    assert isinstance(program.ready, Missing)
    assert "needs `no-such-tool` on the PATH" in str(program.ready)

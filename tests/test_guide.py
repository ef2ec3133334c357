"""Every code block of the guide is run, and what it points to exists."""

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from mockbroker.cli import main
from mockbroker.cli_guide import PAGES, text_of

WITH_CODE = [page for page in PAGES if "```python\n" in text_of(page)]


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder, as somebody does who has copied them there."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "."],
        cwd=str(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_tests_of_a_page_pass(page: str, tmp_path: Path) -> None:
    # A block may say the name of its file, for others to import.
    blocks = re.findall(r"^```python(?: (\w+\.py))?\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    for number, (name, block) in enumerate(blocks):
        (tmp_path / (name or f"test_{number}.py")).write_text(block, "utf-8")

    run = run_tests(tmp_path)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "skipped" not in run.stdout


def failures_shown() -> list[tuple[str, str]]:
    """The tests in the guide that fail, each with the report that is shown of it."""
    return re.findall(
        r"^```python fails\n(.*?)^```\n\n```text\n(.*?)^```$",
        text_of("reading-a-failure"),
        re.MULTILINE | re.DOTALL,
    )


def timeless(text: str) -> list[str]:
    """The lines of a report without its times, and its diagnoses in one, for numbers decide where they are broken."""
    told, diagnosis = list[str](), list[str]()
    for line in text.splitlines():
        if line == " diagnosis" or (diagnosis and line.startswith("   ")):
            diagnosis.append(line)
        else:
            told += [" ".join(diagnosis), line]
            diagnosis = []
    return [
        " ".join(re.sub(r"\d+\.\d( ms| s)?", "TIME", re.sub(r"-{5,}", "--", line)).split()) for line in told
    ]


@pytest.mark.parametrize(("source", "shown"), failures_shown())
def test_a_failure_is_reported_as_the_guide_shows_it(source: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(source, "utf-8")

    printed = iter(timeless(run_tests(tmp_path, "--mockbroker-seed=7").stdout))

    for line in timeless(shown):
        assert line in printed, f"not printed, or not here: {line}"


@pytest.mark.parametrize("page", PAGES)
def test_a_block_says_how_it_is_meant_and_is_python(page: str) -> None:
    """`before` is what somebody wrote without mockbroker, and is not run; a name is that of a file."""
    for how, block in re.findall(
        r"^```python ?([^\n]*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL
    ):
        assert re.fullmatch(r"|fails|before|\w+\.py", how), how
        compile(block, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_to_pages(page: str) -> None:
    for target in re.findall(r"\]\(([\w-]+)\.md\)", text_of(page)):
        assert target in PAGES, f"{page} points to {target}"


def test_every_page_that_is_shipped_is_listed() -> None:
    shipped = {
        path.name.removesuffix(".md")
        for path in files("mockbroker.guide").iterdir()
        if path.name.endswith(".md")
    }
    assert shipped == set(PAGES) - {"api"}  # which is made


def test_the_command_lists_the_pages_and_prints_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(PAGES)
    assert "Gates" in listed

    assert main(["guide", "gates"]) == 0
    assert capsys.readouterr().out == text_of("gates")


def test_a_page_that_is_not_there_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide", "fault"]) == 2
    assert "did you mean 'faults'?" in capsys.readouterr().err

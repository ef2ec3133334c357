"""Every code block of the guide is run, and what it points to exists."""

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from mockbroker.cli import main
from mockbroker.cli_guide import PAGES, text_of

WITH_CODE = [page for page in PAGES if "```python" in text_of(page)]


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_tests_of_a_page_pass(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(block, "utf-8")

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "skipped" not in run.stdout


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
    assert shipped == set(PAGES)


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

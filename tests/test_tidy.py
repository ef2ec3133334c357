"""The code as a text: it is divided, each file says what it promises, nothing is left half done.

Limits lie a little above what the style asks for, so that they catch drift and not taste.  An
exception is an entry with its reason, here, where a reviewer sees it.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "mockbroker").rglob("*.py"))
SOURCES = [
    *PACKAGE,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "conformance").rglob("*.py")),
    ROOT / "noxfile.py",
]

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 45  # without the docstring: an example for the reader is not code to follow
LONG_FILES: dict[str, str] = {}  # path -> why it is not divided
LONG_FUNCTIONS: dict[str, str] = {}  # path::name -> why it is not divided

# Spelled with brackets, or this file would be the first to be caught.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|NotImplemented[E]rror)\b")
SILENCER = re.compile(r"#\s*(type: ignore|noqa)")
REASONED = re.compile(r"type: ignore\[[a-z-]+(, ?[a-z-]+)*\]\s+#\s*\S+|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\s+\S+")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments of a file with their lines; strings that look like comments are none."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's name, as the exceptions above spell it, and its lines without its docstring."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = height(node.body[0]) if ast.get_docstring(node) else 0
            yield f"{name_of(path)}::{node.name}", height(node) - docstring


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_a_module_says_what_it_promises(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    if path.name == "__init__.py" and len(tree.body) <= 1:
        return  # a folder's title may be one line
    contract = ast.get_docstring(tree) or ""
    said = [line for line in contract.splitlines() if line.strip()]
    assert len(said) >= 2, "what is it, and what does it promise?"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_is_divided_and_finished(path: Path) -> None:
    text = path.read_text("utf-8")
    assert UNFINISHED.findall(text) == []
    assert text.count("\n") < FILE_LINES_MAX or name_of(path) in LONG_FILES
    long = [(name, lines) for name, lines in functions(path) if lines >= FUNCTION_LINES_MAX]
    assert [(name, lines) for name, lines in long if name not in LONG_FUNCTIONS] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_tool_is_silenced_without_a_reason(path: Path) -> None:
    silenced = [(line, text) for line, text in comments(path) if SILENCER.search(text)]
    assert [(line, text) for line, text in silenced if not REASONED.search(text)] == []


@pytest.mark.parametrize(
    ("comment", "has_a_reason"),
    [
        ("# type: ignore", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the stub forgets None", True),
        ("# noqa", False),
        ("# noqa: S102", False),
        ("# noqa: S102, E501 - made of field names only", True),
    ],
)
def test_a_reason_is_what_follows_the_code(comment: str, has_a_reason: bool) -> None:
    assert SILENCER.search(comment)
    assert bool(REASONED.search(comment)) == has_a_reason


def test_an_exception_that_is_no_longer_needed_is_gone() -> None:
    long_files = {name_of(path) for path in SOURCES if path.read_text("utf-8").count("\n") >= FILE_LINES_MAX}
    long_functions = {
        name for path in SOURCES for name, lines in functions(path) if lines >= FUNCTION_LINES_MAX
    }
    assert LONG_FILES.keys() - long_files == set()
    assert LONG_FUNCTIONS.keys() - long_functions == set()


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_readme_begins_with_two_commands() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2, "the first installs, the second runs the tests; .ci/run runs the second"
    assert [block.count("\n") for block in blocks[:2]] == [1, 1]


def test_both_ways_to_install_the_tests_needs_install_the_same() -> None:
    declared: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert declared["project"]["optional-dependencies"]["test"] == declared["dependency-groups"]["test"]

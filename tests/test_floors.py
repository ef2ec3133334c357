"""The floors of the house: who may import whom, and where time, chance and trio may be used.

Everything is read from the source with `ast`, imports inside functions included, so that nothing has
to be imported, or even finished, to be judged.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mockbroker

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "mockbroker").rglob("*.py"))
}
FLOORS = {
    "protocol": 0,
    "records": 1,
    "core": 2,
    "handlers": 3,
    "faults": 3,
    "conversation": 4,
    "ghosts": 4,
    "ledger": 4,
    "checkers": 4,
    "timeline": 4,
    "web": 4,
    "server": 5,
}
DOORS = 6  # what is not named above lies at the top of the package and may see everything
WORLDLY = {"time", "random", "datetime", "uuid", "secrets", "socket", "asyncio", "threading"}
FOREIGN = {"kio", "kafka", "confluent_kafka", "aiokafka", "hypothesis"}  # judges are not witnesses
WITHOUT_MESSAGES = {f"mockbroker.core.{name}" for name in ("log", "replica", "clock", "links")}


def part(module: str) -> str:
    """Give the part of the package a module belongs to: `core` for `mockbroker.core.log`."""
    return f"{module}.".split(".")[1]


def floor(module: str) -> int:
    return FLOORS.get(part(module), DOORS)


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """Yield every module that this one names in an import, and whether only the type checker sees it."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    guarded = {
        id(inner)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import hides which floor it goes to"
            for alias in node.names:
                member = f"{node.module}.{alias.name}"  # `from mockbroker import core` means the folder
                yield (member if member in MODULES else str(node.module)), id(node) in guarded


def complaints(module: str) -> Iterator[str]:
    """Yield each rule that a module breaks."""
    for target, typing_only in imports(module):
        top = target.split(".")[0]
        if top == "mockbroker" and floor(target) > floor(module):
            yield f"imports {target}, which lies above it"
        if {part(module), part(target)} == {"handlers", "faults"} and top == "mockbroker":
            yield f"imports {target}: handlers and faults meet in conversation.py only"
        if top == "mockbroker" and part(module) == "protocol" and part(target) != "protocol":
            yield f"imports {target}: protocol/ could be published alone"
        if top == "trio" and floor(module) < FLOORS["server"]:
            yield "imports trio, which lives in server/ and above"
        if top in WORLDLY and floor(module) < FLOORS["server"] and not typing_only:
            yield f"imports {top}: time, chance and I/O are handed down by the world"
        if top in FOREIGN and module != "mockbroker.demo":
            yield f"imports {top}: clients and test tools are no part of a broker"
        if module in WITHOUT_MESSAGES and target.startswith("mockbroker.protocol.messages"):
            yield f"imports {target}: this module knows offsets and bytes, not messages"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_floor_may_see(module: str) -> None:
    assert list(complaints(module)) == []


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("core.log", "from mockbroker.handlers.produce import produce", "lies above it"),
        ("core.log", "from mockbroker import Cluster", "lies above it"),
        ("core.log", "if TYPE_CHECKING:\n    import mockbroker.server.run", "lies above it"),
        ("core.log", "from mockbroker.protocol.messages.fetch import FetchRequest", "offsets and bytes"),
        ("core.world", "from random import Random", "handed down by the world"),
        ("core.world", "def now():\n    import time", "handed down by the world"),
        ("handlers.produce", "from mockbroker.faults.book import FaultBook", "meet in conversation.py"),
        ("faults.book", "import mockbroker.handlers.produce", "meet in conversation.py"),
        ("protocol.codec", "from mockbroker.protocol.errors import x\nimport mockbroker", "published alone"),
        ("conversation", "import trio.testing", "server/ and above"),
        ("server.run", "import kafka", "no part of a broker"),
    ],
)
def test_a_broken_rule_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, rule: str
) -> None:
    path = tmp_path / "module.py"
    path.write_text(source, "utf-8")
    monkeypatch.setitem(MODULES, f"mockbroker.{module}", path)
    assert [complaint for complaint in complaints(f"mockbroker.{module}") if rule in complaint]


def test_the_core_may_name_the_type_of_its_chance_and_the_shell_may_do_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "if TYPE_CHECKING:\n    import random\nfrom mockbroker.records.batch import Batch", "utf-8"
    )
    monkeypatch.setitem(MODULES, "mockbroker.core.world", path)
    assert list(complaints("mockbroker.core.world")) == []
    path.write_text("import time, trio\nfrom mockbroker.conversation import Conversation", "utf-8")
    monkeypatch.setitem(MODULES, "mockbroker.server.run", path)
    assert list(complaints("mockbroker.server.run")) == []


def test_every_named_floor_is_found_by_its_name() -> None:
    assert floor("mockbroker") == floor("mockbroker.cli") == DOORS
    assert floor("mockbroker.protocol.codec") == 0
    assert floor("mockbroker.core.groups.classic") == 2
    assert floor("mockbroker.conversation") == 4


@pytest.mark.parametrize("name", mockbroker.__all__)
def test_a_public_name_is_at_the_door_when_asked_for(name: str) -> None:
    assert getattr(mockbroker, name) is not None
    assert name in dir(mockbroker)


def test_the_door_says_so_when_a_name_is_not_there() -> None:
    misspelled = "Klaster"
    with pytest.raises(AttributeError, match="module 'mockbroker' has no attribute 'Klaster'"):
        getattr(mockbroker, misspelled)


@pytest.mark.parametrize("module", ["mockbroker", "mockbroker.pytest_plugin"])
def test_what_every_pytest_run_imports_brings_no_trio(module: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"],
        capture_output=True,
        check=True,
        cwd=ROOT,
        text=True,
    ).stdout.split()
    assert "trio" not in loaded
    assert not [name for name in loaded if part(name) in FLOORS and name.startswith("mockbroker.")]

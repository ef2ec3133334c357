"""The page of the guide that is made of the code: it has everything, and everything has a word to say for itself."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import mockbroker
from mockbroker import api_page, handles

# How a handle reaches the brokers, and what stands behind `Cluster.check`: no test holds these.
NOT_HELD = {"Door", "BlockingDoor", "Verdicts"}
MEMBERS = [
    pytest.param(member, id=f"{held.__name__}.{name}")
    for held in api_page.classes()
    for name, member in api_page.members(held)
]


def public_classes() -> Iterator[str]:
    """Every class that a module of handles offers, once: trio's have the same methods."""
    for found in pkgutil.iter_modules(handles.__path__, "mockbroker.handles."):
        for name, kind in vars(import_module(found.name)).items():
            here = inspect.isclass(kind) and kind.__module__ == found.name
            if here and not name.startswith(("_", "Trio")) and not name.endswith("Controls"):
                yield name


def test_every_handle_is_on_the_page() -> None:
    on_it = {held.__name__ for held in api_page.classes()}
    assert set(public_classes()) - on_it == NOT_HELD


def test_every_public_name_is_on_the_page() -> None:
    text = api_page.text()
    assert [name for name in mockbroker.__all__ if name not in text] == ["__version__"]


@pytest.mark.parametrize("held", api_page.classes(), ids=lambda held: held.__name__)
def test_a_class_says_what_it_is(held: type) -> None:
    assert f"\n## {held.__name__}\n" in api_page.text()
    assert api_page.first_words(held)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_method_says_what_it_does(member: object) -> None:
    assert api_page.first_words(member).endswith(".")


def test_a_row_is_the_call_and_its_first_words() -> None:
    text = api_page.text()
    assert (
        "\n- `delete_records(partition, before)`: Let the partition begin at offset `before`.\n"
        "- `alter_config(**config)`: " in text
    )
    assert "\n- `leader`: The id of the broker that leads it; -1 for none.\n" in text
    assert "\n- `values(partition=None, isolation='committed')`: " in text
    assert "\n- made of `topic`, `partition`\n" in text
    assert "\n- made of `PROVED`, `VIOLATED`, `NOT_EXERCISED`\n" in text

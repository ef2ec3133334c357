"""Proof that random conversations see: each mistake put into mockbroker on purpose is found by them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from conformance.generated.hunt import hunt, real_target, shorten
from conformance.generated.mutations import MUTATIONS, a_duplicate_is_appended_again
from conformance.generated.targets import RealTarget
from conformance.results import keep

# The release that mockbroker emulates, unless another one is asked for.
JUDGE = "4.4.0"
# The same conversations every time; the rarest mistake needs some hundreds of them.
SEED, CONVERSATIONS_MAX = 7, 1_000

# Not noticed by so many; cases that are named show them.
TOO_RARE = {
    "somebody_elses_producer_id_will_do": "cases 163, 164a and 176b",
    "offsets_of_an_open_transaction_are_called_stable": "case 170",
}

Patch = pytest.MonkeyPatch


def _mistake(mutation: Callable[[Patch], None]) -> pytest.ParameterSet:
    """Name a mistake, and expect that it stays unnoticed if it is too rare."""
    name = mutation.__name__
    why = f"too rare for {CONVERSATIONS_MAX} conversations: {TOO_RARE.get(name)}"
    return pytest.param(mutation, id=name, marks=[pytest.mark.xfail(reason=why)] if name in TOO_RARE else ())


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> Iterator[RealTarget]:
    """One real broker for all: it does not know of our mistakes."""
    if shutil.which("java") is None:
        pytest.skip("a real Kafka judges these: it needs Java")
    with real_target(request.config.getoption("--against-kafka") or JUDGE) as target:
        yield target


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [_mistake(mutation) for mutation in MUTATIONS])
def test_random_conversations_find(
    mutation: Callable[[Patch], None],
    real: RealTarget,
    monkeypatch: Patch,
    request: pytest.FixtureRequest,
) -> None:
    mutation(monkeypatch)
    result = hunt(real, CONVERSATIONS_MAX, SEED)
    after = result.found[0].after if result.found else 0
    if request.config.getoption("--keep-results"):
        keep("generated", "mutations", {mutation.__name__: after}, {"kafka": JUDGE})
    assert result.found, f"{result.played} conversations did not notice"


@pytest.mark.slow
def test_without_a_mistake_nothing_is_found(real: RealTarget) -> None:
    result = hunt(real, 100, SEED)
    assert not [str(found.difference) for found in result.found]


@pytest.mark.slow
def test_a_difference_is_printed_as_a_short_case(real: RealTarget, monkeypatch: Patch) -> None:
    a_duplicate_is_appended_again(monkeypatch)
    (found,) = hunt(real, CONVERSATIONS_MAX, SEED).found
    short = shorten(found, real)
    assert len(short.conversation.steps) < len(found.conversation.steps)
    assert short.source.startswith("@case(")
    compile(short.source, "pasted", "exec")

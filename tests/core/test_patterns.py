"""Patterns match what Python's own matcher matches, and take no longer for evil ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.patterns import Pattern
from mockbroker.protocol.errors import ErrorCode, KafkaError

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\.", "(a|b)", "(?:ab)", "(a*)"]
)
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])
EXPRESSIONS = st.lists(
    st.lists(st.tuples(ATOMS, REPEATS).map("".join), max_size=4).map("".join), min_size=1, max_size=3
).map("|".join)


@given(EXPRESSIONS, st.text("abc.1", max_size=6))
def test_it_matches_what_pythons_matcher_matches(expression: str, text: str) -> None:
    assert Pattern(expression).matches(text) == (re.fullmatch(expression, text) is not None)


@pytest.mark.parametrize("expression", ["(a+)+", "(a|a)*", "(a*)*", "(a?){30}a{30}"])
def test_an_expression_that_keeps_backtracking_matchers_busy_is_nothing_special(expression: str) -> None:
    assert not Pattern(expression).matches("a" * 200 + "!")


@pytest.mark.parametrize(
    "expression",
    [
        "(", ")", "a)", "[a", "*", "a**", "a{2,1}", "a{1001}", r"\b", "^a", "a$", "(?i)a", "(?=a)", "[z-a]", "\\",
        "(" * 200 + ")" * 200, "a" * 1_001, "((a{100}){100}){100}",
    ],
)  # fmt: skip
def test_what_is_no_expression_or_is_not_modelled_is_refused(expression: str) -> None:
    with pytest.raises(KafkaError) as refused:
        Pattern(expression)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


def test_a_brace_that_bounds_nothing_is_a_brace() -> None:
    assert Pattern("a{x}").matches("a{x}")

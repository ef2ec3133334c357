"""Tickets: answered once, and whoever asked learns of it whenever they asked."""

from __future__ import annotations

import pytest

from mockbroker.core.ticket import Reply, Ticket, then


def test_those_who_asked_before_and_after_get_the_same_outcome() -> None:
    ticket: Ticket[int] = Ticket("a number")
    heard: list[int] = []
    ticket.when_done(heard.append)
    assert not ticket.done
    ticket.resolve(7)
    ticket.when_done(heard.append)
    assert heard == [7, 7]
    assert ticket.result == 7


def test_a_second_answer_is_a_bug_that_says_of_what() -> None:
    ticket: Ticket[int] = Ticket(lambda: "a number that is counted")
    ticket.resolve(7)
    with pytest.raises(AssertionError, match="answered twice: a number that is counted"):
        ticket.resolve(7)


def test_an_answer_that_is_not_there_cannot_be_read() -> None:
    with pytest.raises(AssertionError, match="nothing has arrived yet: a number"):
        _ = Ticket[int]("a number").result


def test_a_ticket_says_what_it_waits_for() -> None:
    ticket: Ticket[int] = Ticket("a number")
    assert repr(ticket) == "<Ticket waiting: a number>"
    ticket.abandon()
    ticket.resolve(1)
    assert repr(ticket) == "<Ticket done: a number>"
    assert ticket.abandoned


def increment(n: int) -> Reply[int]:
    return n + 1


def test_then_goes_on_at_once_where_the_outcome_is_there() -> None:
    ticket: Ticket[int] = Ticket("a number")
    ticket.resolve(1)
    replies: list[Reply[int]] = [1, ticket]
    assert [then(reply, increment) for reply in replies] == [2, 2]


@pytest.mark.parametrize("follows_later", [False, True])
def test_then_waits_for_all_that_has_to_come(*, follows_later: bool) -> None:
    first: Ticket[int] = Ticket("the first")
    second: Ticket[str] = Ticket("the second")

    def follow(n: int) -> Reply[str]:
        return second if follows_later else str(n)

    reply = then(first, follow)
    assert isinstance(reply, Ticket)
    assert reply.why == "the first"
    first.resolve(7)
    if follows_later:
        assert not reply.done
        second.resolve("7")
    assert reply.result == "7"


@pytest.mark.parametrize("follows_later", [False, True])
def test_who_abandons_an_answer_abandons_what_it_is_made_of(*, follows_later: bool) -> None:
    first: Ticket[int] = Ticket("the first")
    second: Ticket[str] = Ticket("the second")

    def follow(_: int) -> Reply[str]:
        return second

    reply = then(first, follow)
    assert isinstance(reply, Ticket)
    if follows_later:
        reply.abandon()
        assert first.abandoned
        first.resolve(7)
    else:
        first.resolve(7)
        assert reply.why == "the second"
        reply.abandon()
    assert second.abandoned

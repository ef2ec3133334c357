"""Roads between brokers: in order, and what is on a broken one is lost."""

from __future__ import annotations

import pytest

from mockbroker.core import links as links_module
from mockbroker.core.clock import Clock
from mockbroker.core.links import CONTROLLER, Disconnected, Links, Message


class Letter(Message):
    """A message with a word in it."""

    __slots__ = ("word",)

    def __init__(self, source: int, target: int, word: str) -> None:
        super().__init__(source, target)
        self.word = word


class Reader:
    """An end that remembers what it read, and may answer."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.missed: list[str] = []
        self.disconnected: list[int] = []

    def lost(self, message: Message) -> None:
        assert isinstance(message, Letter)
        self.missed.append(message.word)

    def receive(self, message: Message) -> None:
        if isinstance(message, Disconnected):
            self.disconnected.append(message.source)
            return
        assert isinstance(message, Letter)
        self.words.append(message.word)


class Post:
    """Links between 1, 2 and the controller, and a clock."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self.links = Links(self.clock)
        self.clock.after_timer = self.links.run_to_quiet
        self.readers = {end: Reader() for end in (CONTROLLER, 1, 2)}
        for end, reader in self.readers.items():
            self.links.attach(end, reader)

    def send(self, *words: str, source: int = 1, target: int = 2) -> None:
        for word in words:
            self.links.send(Letter(source, target, word))
        self.links.run_to_quiet()

    @property
    def read(self) -> list[str]:
        return self.readers[2].words


@pytest.fixture
def post() -> Post:
    return Post()


def test_messages_arrive_in_order_and_not_before_the_step_settles(post: Post) -> None:
    post.links.send(Letter(1, 2, "a"))
    assert post.read == []
    post.send("b", "c")
    assert post.read == ["a", "b", "c"]


def test_what_is_sent_on_a_cut_road_is_lost_for_good(post: Post) -> None:
    post.links.cut(2, 1)
    assert not post.links.connected(1, 2)
    post.send("lost")
    post.links.mend(1, 2)
    post.send("a")
    assert post.read == ["a"]


def test_what_is_on_a_road_when_it_is_cut_is_lost(post: Post) -> None:
    post.links.send(Letter(1, 2, "queued"))
    post.links.slow(1, CONTROLLER, 50)
    post.links.cut(1, 2)
    post.links.mend(1, 2)
    post.links.slow(1, 2, 50)
    post.send("under way")
    post.links.cut(1, 2)
    post.links.mend(1, 2)
    post.clock.advance(100)
    assert post.read == []
    post.send("a")
    post.clock.advance(50)
    assert post.read == ["a"]


def test_other_roads_are_not_cut(post: Post) -> None:
    post.links.cut(1, 2)
    post.send("a", source=CONTROLLER)
    assert post.read == ["a"]


def test_a_slow_road_takes_broker_time_in_both_directions(post: Post) -> None:
    post.links.slow(1, 2, 50)
    post.send("a")
    post.send("b", source=2, target=1)
    post.clock.advance(49)
    assert post.read == post.readers[1].words == []
    post.clock.advance(1)
    assert (post.read, post.readers[1].words) == (["a"], ["b"])


def test_nothing_overtakes_on_a_road_that_is_fast_again(post: Post) -> None:
    post.links.slow(1, 2, 50)
    post.send("a")
    post.links.slow(1, 2, 0)
    post.send("b")
    assert post.read == []
    post.clock.advance(50)
    post.send("c")
    assert post.read == ["a", "b", "c"]


def test_a_rule_may_hold_a_message_and_let_it_go_later(post: Post) -> None:
    held: list[Message] = []

    def hold(message: Message) -> bool:
        held.append(message)
        return False

    post.links.between = hold
    post.send("a")
    post.links.between = lambda _message: False
    post.links.redeliver(held[0])
    post.links.run_to_quiet()
    assert post.read == ["a"]


def test_what_was_held_does_not_travel_on_a_cut_road(post: Post) -> None:
    post.links.cut(1, 2)
    post.links.redeliver(Letter(1, 2, "a"))
    post.links.run_to_quiet()
    assert post.read == []


def test_two_that_never_stop_talking_are_a_bug_and_not_a_hang(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_module, "MESSAGES_PER_STEP_MAX", 50)

    class Echo(Reader):
        def receive(self, message: Message) -> None:
            post.links.send(message)

        def lost(self, message: Message) -> None:
            """Nobody here misses anything."""

    post.links.attach(2, Echo())
    with pytest.raises(AssertionError, match="no quiet after 50 messages; the next is Letter 1 -> 2"):
        post.send("a")


def test_both_ends_hear_of_a_message_that_was_lost(post: Post) -> None:
    post.links.between = lambda _: False
    post.send("a")
    post.links.lose(Letter(1, 2, "a"))
    post.links.lose(Letter(1, 1, "to itself"))
    assert [post.readers[end].missed for end in (1, 2, CONTROLLER)] == [["a", "to itself"], ["a"], []]
    assert post.read == []


def test_both_ends_of_a_cut_road_notice_and_everybody_that_an_end_has_died(post: Post) -> None:
    post.links.cut(1, 2)
    post.links.run_to_quiet()
    noticed = [post.readers[end].disconnected for end in (1, 2, CONTROLLER)]
    assert noticed == [[2], [1], []]
    post.links.hang_up(2)
    post.links.run_to_quiet()
    assert noticed == [[2, 2], [1], [2]]


def test_a_road_remembers_how_often_it_was_cut(post: Post) -> None:
    assert post.links.breaks(1, 2) == 0
    for _ in range(2):
        post.links.cut(1, 2)
        post.links.mend(1, 2)
    assert (post.links.breaks(1, 2), post.links.breaks(2, 1), post.links.breaks(1, CONTROLLER)) == (2, 2, 0)

"""One client's connection: bytes in, one call at a time, answers out in order.

Receives straight from a non-blocking socket and waits only when that would block: this is what makes trio
as fast as bare callbacks.  Promises Kafka's rules: nothing further is read while an answer is owed or not
taken, and a slow, silent or hostile client harms nobody but itself.  Does not know what a call means.
"""

from __future__ import annotations

import logging
import math
import select
import socket
from typing import TYPE_CHECKING, Any

import trio

from mockbroker.conversation import Conversation
from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.server.ports import reset
from mockbroker.server.sending import Part, send_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.call import Call
    from mockbroker.server.listener import Listener

log = logging.getLogger("mockbroker.server")

# A client that sends faster than we answer never lets us block; every so many turns the others are served.
# A checkpoint costs about 8 us and a turn (one read or one call) at least 3, so its share stays small.
TURNS_BETWEEN_CHECKPOINTS = 32
# More than that is told as that: it is for people who ask what waits behind a request.
UNREAD_BYTES_COUNTED = 65_536
# Linux tells a hang-up behind unread bytes; elsewhere such a client is noticed when its answer is sent.
_HUNG_UP = getattr(select, "POLLRDHUP", 0)


class Connection:
    """A connection of `listener`, from accept to close."""

    __slots__ = (
        "_frame_since",
        "_idle_s",
        "_listener",
        "_scope",
        "_since",
        "_socket",
        "_turns",
        "closed",
        "conversation",
        "parked",
    )

    def __init__(
        self, sock: socket.socket, listener: Listener, conversation: Conversation, idle_s: float
    ) -> None:
        self._socket = sock
        self._listener = listener
        self._idle_s = idle_s
        self._scope = trio.CancelScope()
        self._turns = 0
        # Since when we wait for the client to send or take something, and since when for the end of a frame;
        # infinitely late while it is not the client that keeps us waiting.
        self._since = self._frame_since = math.inf
        # The answer that this client is owed and that is not here yet.
        self.parked: Ticket[Any] | None = None
        self.conversation = conversation
        self.closed = False

    async def run(self) -> None:
        """Serve until either side has had enough."""
        try:
            with self._scope:
                why = await self._serve()
                log.debug("%s: %s", self, why)
        except (OSError, trio.ClosedResourceError) as gone:
            log.debug("%s: %s", self, gone)
        except trio.Cancelled:
            self.reset()  # the whole server ends, and says no goodbyes
            raise
        except Exception as bug:  # noqa: BLE001 - one connection's bug ends one connection, and then the test
            self._listener.shell.report(bug, f"the connection {self}")
        finally:
            self.close()
            self._listener.ended(self)

    def close(self) -> None:
        """Close now, and let go of what was asked."""
        if not self.closed:
            self._let_go()
            self._socket.close()

    def reset(self) -> None:
        """Break off: the broker has died.  May be called from the very call that is being answered."""
        if not self.closed:
            self._let_go()
            reset(self._socket)
            self._scope.cancel()

    def look(self, now: float, not_before: float) -> None:
        """Give this client up if it is gone or too slow; time before `not_before` does not count.

        Asked for every connection now and then, which is cheaper than a deadline on every wait.
        """
        begun = self._frame_since < math.inf
        limit_s = self._listener.shell.frame_timeout_s if begun else self._idle_s
        since = self._frame_since if begun else self._since
        if now - max(since, not_before) >= limit_s:
            what = "ended the request that it began" if begun else "sent or taken anything"
            self._give_up(f"it has not {what} for {limit_s:g} s")
        elif self.parked is not None and self._hung_up():
            self._give_up("the client hung up while it was owed an answer")

    def _give_up(self, why: str) -> None:
        log.info("%s: closed, %s", self, why)
        self.close()
        self._scope.cancel()

    def gone(self) -> bool:
        """Whether the client has hung up, though its task may not have noticed yet."""
        if self.closed or self._hung_up():
            return True
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _hung_up(self) -> bool:
        if not _HUNG_UP or self.closed:
            return False
        poll = select.poll()
        poll.register(self._socket, _HUNG_UP)
        return bool(poll.poll(0))

    def _let_go(self) -> None:
        self.closed = True
        trio.lowlevel.notify_closing(self._socket)
        if self.parked is not None:
            self.parked.abandon()

    def unread_bytes(self) -> int:
        """How much of what the client has sent is still unread, as far as it is worth counting."""
        if self.closed:
            return 0
        try:
            return len(self._socket.recv(UNREAD_BYTES_COUNTED, socket.MSG_PEEK))
        except OSError:
            return 0  # nothing is there, or nobody is any more

    def waits_for(self) -> str | None:
        """What the answer to this client waits for, or None when nothing is owed."""
        if self.parked is None:
            return None
        return f"{self.conversation.client_id or 'a client'} at {self.conversation.peer}: {self.parked.why}"

    async def _serve(self) -> str:
        """Read, answer, repeat.  Returns the reason why it is over."""
        conversation, receive_into = self.conversation, self._socket.recv_into
        while not self.closed:
            if self._listener.paused:
                await self._listener.until_resumed()
                continue
            try:
                count = receive_into(conversation.space())
            except BlockingIOError:
                await self._until_readable()
                continue
            if count == 0:
                return "the client hung up" + (" in the middle of a request" if conversation.pending else "")
            await self._take_turn()
            calls = conversation.received(count)
            conversation.waiting = len(calls)
            for opened in calls:
                conversation.waiting -= 1
                self._frame_since = math.inf
                if isinstance(opened, Disconnect):
                    log.warning("%s", opened.reason)
                    return opened.reason
                ended = await self._answer(opened)
                if ended is not None:
                    return ended
        return "the broker broke off"

    async def _take_turn(self) -> None:
        """Let the others have theirs: once in a while, and at once whoever's answer has arrived.

        Else a client that is quick to ask again gets ahead of those that were answered by the same step,
        and of two members of a group one is in the next rebalance before the other has heard of this one.
        """
        self._turns += 1
        if self._turns >= TURNS_BETWEEN_CHECKPOINTS:
            self._turns = 0
            await trio.lowlevel.checkpoint()
        # Twice at most: within one round of its scheduler, trio runs tasks in any order.
        while self._listener.shell.arrived:
            await trio.lowlevel.checkpoint()

    async def _answer(self, call: Call[Any]) -> str | None:
        """Take one call to its answer and the answer to the client; returns why the connection is to end."""
        await self._take_turn()
        self._listener.shell.timekeeper.tick()
        try:
            response = self.conversation.exchange(call)
        except Exception as bug:  # noqa: BLE001 - whatever a handler raises is recorded, not lost
            return self._met_a_bug(bug, call)
        if isinstance(response, Ticket):
            if not response.done and not await self._arrival(response):
                return "the client hung up while it was owed an answer"
            response = response.result
        if self._listener.paused:
            await self._listener.until_resumed()
        if self.closed:
            return "the broker broke off"
        if isinstance(response, Disconnect):
            log.info("%s: %s", self, response.reason)
            if response.reset:
                self.reset()
            return response.reason
        if response is not None:
            try:
                parts = self.conversation.seal(call, response)
            except Exception as bug:  # noqa: BLE001 - an answer that cannot be written is a handler's bug, too
                return self._met_a_bug(bug, call)
            await self._send(parts)
            if self._listener.shell.world.witness is not None:
                self._listener.shell.world.witness.sent_off(call)
            if isinstance(response, Altered):
                return await self._after(response)
        return None

    async def _after(self, altered: Altered) -> str | None:
        """What a fault has in store for the connection, now that the answer has left."""
        if altered.ends is not None:
            log.info("%s: %s", self, altered.ends)
            return altered.ends
        mute = altered.mute
        # KIP-219: a client that is throttled has its answer at once, and is not heard for that long.
        if mute is not None and not mute.done and not await self._arrival(mute):
            return "the client hung up while it was throttled"
        return None

    def _met_a_bug(self, bug: Exception, call: Call[Any]) -> str:
        self._listener.shell.report(bug, f"{call!r}: {call.body!r}")
        return "mockbroker has a bug"

    async def _arrival(self, ticket: Ticket[Any]) -> bool:
        """Wait for an answer, reading nothing more.  False if either side broke off before it came."""
        if self.closed:
            ticket.abandon()
            return False
        shell = self._listener.shell
        self.parked = ticket
        try:
            with trio.CancelScope() as waiting:
                ticket.when_done(lambda _: self._wake(ticket, waiting))
                await self._until_hung_up()
        finally:
            self.parked = None
            if ticket.done:
                shell.arrived -= 1
        if ticket.done:
            return True
        ticket.abandon()
        return False

    def _wake(self, ticket: Ticket[Any], waiting: trio.CancelScope) -> None:
        """The answer is here, and is the next thing to be sent, unless nobody waits for it any longer."""
        if self.parked is ticket:
            self._listener.shell.arrived += 1
            waiting.cancel()

    async def _until_hung_up(self) -> None:
        """Wait until the client is gone, without taking a byte from the socket."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            if self._listener.paused:  # the dead notice nothing, and neither do the paused
                await self._listener.until_resumed()
            try:
                if not self._socket.recv(1, socket.MSG_PEEK):
                    return
            except BlockingIOError:
                continue
            except OSError:
                return
            # More requests are waiting, so the socket stays readable and tells no more; `look` finds out.
            await trio.sleep_forever()

    async def _until_readable(self) -> None:
        """Wait for more bytes, for as long as this client is given."""
        self._turns = 0
        self._since = trio.current_time()
        if self.conversation.pending:
            # The clock of a started frame runs on, however often a few bytes of it arrive.
            self._frame_since = min(self._frame_since, self._since)
        await trio.lowlevel.wait_readable(self._socket)
        self._since = math.inf

    async def _send(self, parts: Sequence[Part]) -> None:
        """Send all parts; waits while the client does not take them."""
        left = send_now(self._socket, parts)
        while left:
            self._since = trio.current_time()
            await trio.lowlevel.wait_writable(self._socket)
            self._since = math.inf
            if self._listener.paused:
                await self._listener.until_resumed()
            left = send_now(self._socket, left)

    def __repr__(self) -> str:
        peer = self.conversation.peer
        return f"connection {peer.ordinal} of {peer} to broker {self._listener.node.id}"

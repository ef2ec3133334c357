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
from mockbroker.server.farewell import parting_error
from mockbroker.server.ports import reset
from mockbroker.server.sending import Part, send_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.call import Call
    from mockbroker.faults.network import Trouble
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
        "_dismissed",
        "_frame_since",
        "_idle_s",
        "_listener",
        "_scope",
        "_since",
        "_socket",
        "_turns",
        "_waiting",
        "_woken",
        "client",
        "closed",
        "conversation",
        "parked",
        "trouble",
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
        # The wait for it, whether that is over, and whether it is over without the answer.
        self._waiting = trio.CancelScope()
        self._woken = self._dismissed = False
        self.conversation = conversation
        self.closed = False
        # Who the client has said to be, as far as the network has heard of it, and what has befallen this line.
        self.client: str | None = None
        self.trouble: Trouble | None = None

    @property
    def broker(self) -> int:
        """The id of the broker that it leads to."""
        return self._listener.node.id

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

    def dismiss(self) -> None:
        """The cluster ends: what this client is owed does not come any more, and it is told so now."""
        if self.parked is not None and not self._woken:
            self._dismissed = True
            self._wake(self.parked, self._waiting)

    def look(self, now: float, not_before: float) -> None:
        """Give this client up if it is gone or too slow; time before `not_before` does not count.

        Asked for every connection now and then, which is cheaper than a deadline on every wait.
        """
        if self.trouble is not None:
            return  # it is a fault that makes it slow
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
            if self._listener.paused or (self.trouble is not None and self.trouble.silent):
                await self._until_clear()
                continue
            space = conversation.space()
            try:
                count = receive_into(space if self.trouble is None else self._step_of(space))
            except BlockingIOError:
                await self._until_readable()
                continue
            if count == 0:
                return "the client hung up" + (" in the middle of a request" if conversation.pending else "")
            await self._take_turn()
            if self.trouble is not None and self.trouble.pace is not None:
                await self._through_trouble(self.trouble.passing(count, inwards=True))
            calls = conversation.received(count)
            if calls and conversation.client_id != self.client and not await self._introduced():
                break
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
            if response.done or await self._arrival(response):
                response = response.result
            elif self._dismissed:
                response = self.conversation.give_up(call, parting_error(call.api))
            else:
                return "the client hung up while it was owed an answer"
        if self._listener.paused or self.trouble is not None:
            await self._until_clear()
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
        if mute is None or mute.done or await self._arrival(mute) or self._dismissed:
            return None
        return "the client hung up while it was throttled"

    def _met_a_bug(self, bug: Exception, call: Call[Any]) -> str:
        self._listener.shell.report(bug, f"{call!r}: {call.body!r}")
        return "mockbroker has a bug"

    async def _arrival(self, ticket: Ticket[Any]) -> bool:
        """Wait for an answer, reading nothing more.

        False if either side broke off before it came, or if this wait was dismissed.
        """
        if self.closed:
            ticket.abandon()
            return False
        self.parked = ticket
        self._dismissed = False
        try:
            with trio.CancelScope() as waiting:
                self._waiting = waiting
                ticket.when_done(lambda _: self._wake(ticket, waiting))
                await self._until_hung_up()
        finally:
            self.parked = None
            if self._woken:
                self._woken = False
                self._listener.shell.arrived -= 1
        if ticket.done:
            return True
        ticket.abandon()
        return False

    def _wake(self, ticket: Ticket[Any], waiting: trio.CancelScope) -> None:
        """The answer is here, and is the next thing to be sent, unless nobody waits for it any longer."""
        if self.parked is ticket and not self._woken:
            self._woken = True
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
        """Send all parts, as the network lets them through."""
        while self.trouble is not None and parts:
            await self._until_clear()
            parts = await self._send_slowly(parts)
        await self._send_freely(parts)

    async def _send_freely(self, parts: Sequence[Part]) -> None:
        """Send all parts; waits while the client does not take them."""
        left = send_now(self._socket, parts)
        while left:
            self._since = trio.current_time()
            await trio.lowlevel.wait_writable(self._socket)
            self._since = math.inf
            if self._listener.paused:
                await self._listener.until_resumed()
            left = send_now(self._socket, left)

    # -- what befalls the line --------------------------------------------------------------------

    async def _introduced(self) -> bool:
        """The client has said who it is: now there may be rules about it.  False if they end this connection."""
        self.client = self.conversation.client_id
        network = self._listener.shell.network
        if network is not None and network.armed:
            network.named(self)
            await self._until_clear()
        return not self.closed

    async def _until_clear(self) -> None:
        """Wait while the broker is paused, or the network lets nothing through."""
        while not self.closed:
            if self._listener.paused:
                await self._listener.until_resumed()
            elif self.trouble is not None and self.trouble.silent:
                await self._through_trouble(self.trouble.healing())
            else:
                return

    async def _through_trouble(self, ticket: Ticket[None]) -> None:
        """Wait for what the network does; raises OSError when the client has hung up meanwhile."""
        if await self._arrival(ticket):
            return
        if not self._dismissed:
            raise ConnectionResetError("the client hung up while the network was in trouble")
        self.trouble = None  # the cluster ends, and keeps nobody waiting

    def _step_of(self, space: memoryview) -> memoryview:
        """As much of it as comes over a slow line at once."""
        pace = None if self.trouble is None else self.trouble.pace
        return space if pace is None else space[: pace.step_bytes]

    async def _send_slowly(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Send step by step while the line is slow; gives what is left when it is not any more."""
        data = memoryview(b"".join(parts))
        while data and self.trouble is not None and self.trouble.pace is not None:
            step = data[: self.trouble.pace.step_bytes]
            await self._through_trouble(self.trouble.passing(len(step), inwards=False))
            await self._send_freely([step])
            data = data[len(step) :]
        return [data] if data else []

    def __repr__(self) -> str:
        peer = self.conversation.peer
        return f"connection {peer.ordinal} of {peer} to broker {self._listener.node.id}"

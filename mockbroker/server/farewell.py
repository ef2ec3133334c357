"""How a server ends: nobody is left waiting, whoever is still there is remembered, and it takes no time to speak of.

Gates open, every request that waits is answered, with an error if need be, and clients have a moment to hang up
by themselves.  What they do with it is theirs; the connections are reset afterwards, by whoever closes the
listeners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.server.connection import Connection
    from mockbroker.server.shell import Shell

# How often it is looked whether the clients are gone; only while somebody has asked to wait for them.
LOOKS_APART_S = 0.01
# Answers leave within a few turns; a client that sends on and on must not keep us here.
TURNS_MAX = 1_000

# Errors that every client knows as "ask somebody else", so that none makes an exception of it.
_TO_COORDINATORS = frozenset({
    Api.JOIN_GROUP, Api.SYNC_GROUP, Api.HEARTBEAT, Api.LEAVE_GROUP, Api.OFFSET_COMMIT, Api.OFFSET_FETCH,
    Api.OFFSET_DELETE, Api.DESCRIBE_GROUPS, Api.DELETE_GROUPS, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN,
    Api.ADD_OFFSETS_TO_TXN, Api.END_TXN, Api.INIT_PRODUCER_ID,
})  # fmt: skip
_TO_LEADERS = frozenset({Api.FETCH, Api.LIST_OFFSETS, Api.OFFSET_FOR_LEADER_EPOCH, Api.DELETE_RECORDS})


def parting_error(api: Api) -> ErrorCode:
    """What a request is told whose answer does not come any more.

    A produce may have been stored already, so it is told what a broker says that does not know: it took too long.
    """
    if api in _TO_COORDINATORS:
        return ErrorCode.NOT_COORDINATOR
    return ErrorCode.NOT_LEADER_OR_FOLLOWER if api in _TO_LEADERS else ErrorCode.REQUEST_TIMED_OUT


async def say_goodbye(
    shell: Shell, connections: Callable[[], list[Connection]], drain_s: float
) -> list[Connection]:
    """Answer what waits, wait `drain_s` for the clients to hang up, and give the connections that are left."""
    if shell.faults is not None:
        shell.control(shell.faults.end)
    await _let_answers_leave(shell)
    await _dismiss(shell, connections())
    if drain_s > 0:
        with trio.move_on_after(drain_s):
            while _left(connections()):  # noqa: ASYNC110 - nobody is told of a hang-up behind unread bytes
                await trio.sleep(LOOKS_APART_S)
        await _dismiss(shell, connections())
    return _left(connections())


async def _dismiss(shell: Shell, connections: list[Connection]) -> None:
    for connection in connections:
        connection.dismiss()
    await _let_answers_leave(shell)


async def _let_answers_leave(shell: Shell) -> None:
    """Let the connections run whose answers are here."""
    for _ in range(TURNS_MAX):
        if not shell.arrived:
            return
        await trio.lowlevel.checkpoint()


def _left(connections: list[Connection]) -> list[Connection]:
    return [connection for connection in connections if not connection.gone()]

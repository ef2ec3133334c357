"""A server in a background thread, for tests that are plain functions.

`Portal.start` returns when the server serves; `call` runs one function inside the server's thread and
carries its result or exception over; `close` ends everything within two seconds whatever clients do.
Neither waits for ever for a thread that is stuck: who blocks it is shown instead.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

import trio

from mockbroker.core.usage import UsageError
from mockbroker.server.run import Server

T = TypeVar("T")

CLOSE_TIMEOUT_S = 2.0
# Of these two seconds, the last part is for whoever has not come to an end by being asked to.
ASKING_SHARE = 0.9
# The longest step takes a few seconds, a jump in time over many sessions; whatever takes longer has no end.
CALL_TIMEOUT_S = 30.0
# Who was stuck a moment ago is not given as much time again.
CALL_AGAIN_TIMEOUT_S = 0.1


class Stuck(AssertionError):
    """The brokers' thread does something that does not end; the message shows where it is."""


class _Errand(Generic[T]):
    """One call on its way through the server's thread and back."""

    __slots__ = ("_act", "_args", "_failure", "_result", "over", "ran", "wanted")

    def __init__(self, act: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._act = act
        self._args = args
        self._failure: BaseException | None = None
        self._result: T
        self.over = threading.Event()
        # Whether it was run at all, and whether anybody still wants it to be.
        self.ran = False
        self.wanted = True

    def run(self) -> None:
        """Do it, in the server's thread."""
        if self.wanted:
            try:
                self._result = self._act(*self._args)
            except BaseException as failure:  # noqa: BLE001 - it is raised again, in the thread that cares
                self._failure = failure
            self.ran = True
        self.over.set()

    def outcome(self) -> T:
        """What came of it."""
        if self._failure is not None:
            try:
                raise self._failure
            finally:
                self._failure = None  # or exception and frame hold on to each other
        return self._result


class Serving(Protocol):
    """`serve` with everything but its task status filled in."""

    def __call__(self, *, task_status: trio.TaskStatus[Server]) -> Awaitable[None]:
        """Serve until cancelled."""


class Portal:
    """The way into the thread of one server."""

    __slots__ = (
        "_errands", "_failure", "_opened", "_scope", "_server", "_serving", "_stuck", "_thread", "_token",
    )  # fmt: skip

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self._server: Server | None = None
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._errands = dict[_Errand[Any], None]()
        self._stuck = False
        # A daemon, so that a test run that forgets to close still ends.
        self._thread = threading.Thread(target=self._run, name="mockbroker", daemon=True)

    @classmethod
    def start(cls, serving: Serving) -> Portal:
        """Start a server in a thread of its own; raises what kept it from starting."""
        _refuse_trio()
        portal = cls(serving)
        portal._thread.start()
        portal._opened.wait()
        if portal._server is None:
            portal._thread.join()
            assert portal._failure is not None, "a server that ends before it started says why"
            raise portal._failure
        return portal

    @property
    def server(self) -> Server:
        """The running server.  To be read here, to be changed through `call` only."""
        assert self._server is not None, "a portal is handed out once its server serves"
        return self._server

    def call(self, act: Callable[..., T], *args: Any, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Run `act` as one step of the world, in the server's thread; gives what it returns or raises.

        Raises Stuck if that thread does not come to it, which is somebody's code that never returns.
        """
        if threading.current_thread() is self._thread:
            return self.server.control(act, *args)  # a fault rule's own code may give orders, too
        _refuse_trio()
        assert self._token is not None, "a portal is handed out once its server serves"
        errand = _Errand[T](self.server.control, (act, *args))
        self._errands[errand] = None
        try:
            self._token.run_sync_soon(errand.run)
            self._await(errand, min(timeout_s, CALL_AGAIN_TIMEOUT_S) if self._stuck else timeout_s)
        except trio.RunFinishedError:
            raise UsageError("this cluster is closed; use it inside its `with` block") from self._failure
        finally:
            errand.wanted = False
            del self._errands[errand]
        return errand.outcome()

    def _await(self, errand: _Errand[Any], timeout_s: float) -> None:
        """Wait for what came of an errand; raises Stuck, or RunFinishedError if the server ended instead."""
        self._stuck = not errand.over.wait(timeout_s)
        if self._stuck:
            raise Stuck(f"mockbroker's thread has not answered for {timeout_s:g} s:\n{self._whereabouts()}")
        if not errand.ran:
            raise trio.RunFinishedError

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S, *, drain_s: float = 0.0) -> None:
        """End the server, and raise the bugs of ours that it met.  Closing twice is fine.

        Whoever waits is answered, and has `drain_s` to hang up.  Raises Stuck after `timeout_s`.
        """
        if self._thread.is_alive():
            self._soon(lambda: self.server.end(drain_s))
            self._thread.join(timeout_s * ASKING_SHARE)
            self._soon(self._scope.cancel)
            self._thread.join(timeout_s * (1 - ASKING_SHARE))
            if self._thread.is_alive():
                self._stuck = True
                raise Stuck(f"mockbroker did not end within {timeout_s:g} s:\n{self._whereabouts()}")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self.server.raise_bugs()

    def _soon(self, act: Callable[[], object]) -> None:
        assert self._token is not None, "a portal is handed out once its server serves"
        with contextlib.suppress(trio.RunFinishedError):  # it may end by itself between two lines
            self._token.run_sync_soon(act)

    def started(self, value: Server | None = None) -> None:
        """Told by `serve` that all ports listen (this object is its task status)."""
        self._server = value
        self._opened.set()

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as failure:  # noqa: BLE001 - it is raised again, in the thread that cares
            self._failure = failure
        finally:
            self._opened.set()
            for errand in list(self._errands):
                errand.over.set()  # nobody runs it any more

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            await self._serving(task_status=self)

    def _whereabouts(self) -> str:
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - the documented way
        return "".join(traceback.format_stack(frame)) if frame is not None else "(its stack is gone)"


def _refuse_trio() -> None:
    """Whoever blocks in a trio task stops its whole loop; say what to do instead."""
    if trio.lowlevel.in_trio_task():
        raise UsageError(
            "this blocks, and a trio task must not: use `async with open_cluster()`, "
            "or call it in a thread of its own with trio.to_thread.run_sync"
        )

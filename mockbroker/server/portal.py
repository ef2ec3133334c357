"""A server in a background thread, for tests that are plain functions.

`Portal.start` returns when the server serves; `call` runs one function inside the server's thread and
carries its result or exception over; `close` ends everything within two seconds whatever clients do.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import trio

from mockbroker.core.usage import UsageError
from mockbroker.server.run import Server

T = TypeVar("T")

CLOSE_TIMEOUT_S = 2.0


class Serving(Protocol):
    """`serve` with everything but its task status filled in."""

    def __call__(self, *, task_status: trio.TaskStatus[Server]) -> Awaitable[None]:
        """Serve until cancelled."""


class Portal:
    """The way into the thread of one server."""

    __slots__ = ("_failure", "_opened", "_scope", "_server", "_serving", "_thread", "_token")

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self._server: Server | None = None
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
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

    def call(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world, in the server's thread; gives what it returns or raises."""
        if threading.current_thread() is self._thread:
            return self.server.control(act, *args)  # a fault rule's own code may give orders, too
        _refuse_trio()
        try:
            return trio.from_thread.run_sync(self.server.control, act, *args, trio_token=self._token)
        except trio.RunFinishedError:
            raise UsageError("this cluster is closed; use it inside its `with` block") from self._failure

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """End the server, and raise the bugs of ours that it met.  Closing twice is fine."""
        if self._thread.is_alive():
            assert self._token is not None
            with contextlib.suppress(trio.RunFinishedError):  # it may end by itself between two lines
                self._token.run_sync_soon(self._scope.cancel)
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                where = self._whereabouts()
                raise AssertionError(f"mockbroker did not end within {timeout_s:g} s:\n{where}")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self.server.raise_bugs()

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

"""A bug of mockbroker's own, made on purpose: what becomes of those that we do not know yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mockbroker import Cluster
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from tests.handles.members import RawClient
from tests.server.wire import VERSIONS


def break_api_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the handler of ApiVersions fail as no handler may."""

    def answer(*_: Any) -> Any:
        raise ZeroDivisionError("an invariant does not hold")

    broken = replace(HANDLERS[Api.API_VERSIONS], answer=answer)
    monkeypatch.setitem(HANDLERS, Api.API_VERSIONS, broken)


def meet_the_bug(cluster: Cluster) -> None:
    """Be the client whose request meets it."""
    with RawClient(cluster, 1, "unlucky") as client, pytest.raises(EOFError):
        client.ask(VERSIONS, 3)

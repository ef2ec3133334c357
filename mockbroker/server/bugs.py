"""A bug of mockbroker's own, caught where it has an address: the request that met it.

A handler that raises anything but `KafkaError` is wrong, and a test that runs on beside it would lie.  So
the shell keeps the exception together with what was asked, ends that connection only, and raises it when
the cluster is closed.
"""

from __future__ import annotations

# Enough to see which request it was; a megabyte of records helps nobody.
DESCRIPTION_CHARACTERS_MAX = 800


class BrokerBug(Exception):
    """mockbroker failed while it did something for a client; `__cause__` is the exception itself."""

    def __init__(self, exception: BaseException, doing: str) -> None:
        super().__init__(
            f"this is a bug in mockbroker, please report it: {type(exception).__name__}: {exception}\n"
            f"  while answering {doing}"
        )
        self.exception = exception
        self.doing = doing
        self.__cause__ = exception


def shortened(text: str) -> str:
    """Cut a description to what a person reads, from its middle: both ends tell the most."""
    if len(text) <= DESCRIPTION_CHARACTERS_MAX:
        return text
    half = DESCRIPTION_CHARACTERS_MAX // 2
    return f"{text[:half]} … {text[-half:]} ({len(text)} characters)"


def raise_bugs(bugs: list[BrokerBug]) -> None:
    """Raise what was recorded: one as it is, several as a group, none not at all."""
    if len(bugs) == 1:
        raise bugs[0]
    if bugs:
        raise ExceptionGroup("these are bugs in mockbroker, please report them", bugs)

"""The third kind of wrong: the test's author asked for something that makes no sense.

`KafkaError` is the protocol's and travels to a client; `assert` is ours; `UsageError` is raised in
the face of whoever called, and its text says what was wrong, what was expected, and what to do.
"""


class UsageError(Exception):
    """A request to mockbroker itself that cannot be carried out as it stands."""

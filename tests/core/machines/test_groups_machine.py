from hypothesis import settings

from tests.core.machines.groups import GroupMachine


class TestAGroupOfConsumers(GroupMachine.TestCase):
    """See tests/core/machines/groups.py for the rules and what must hold."""

    # The soak profile asks for more, and for longer runs.
    settings = settings(
        max_examples=max(500, settings().max_examples if settings().max_examples > 100 else 0),
        stateful_step_count=settings().stateful_step_count,
    )

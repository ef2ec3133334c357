"""The group machine, run; its rules and what must hold are told in groups.py beside this file."""

from hypothesis import settings

from tests.core.machines.groups import GroupMachine

TestAGroupOfConsumers = GroupMachine.TestCase
# Hypothesis' own default is 100 examples; a profile that asks for more than this, such as soak, is heeded.
TestAGroupOfConsumers.settings = settings(max_examples=max(500, settings().max_examples))

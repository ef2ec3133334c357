"""The peers' own test suites, with mockbroker as the broker they are run against.

A suite is fetched from its registry into the user's cache, prepared there once, and told where a served
cluster listens.  `expected/` says how each of its tests ends: what passes on a real Kafka passes here, or the
feature that is missing has a name.  Nothing is run twice to become green.
"""

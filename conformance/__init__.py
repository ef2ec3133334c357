"""Judgement from outside: real clients and a real Apache Kafka, set against mockbroker.

Nothing in here is shipped.  Everything reaches the broker as its users do, over TCP and by the public
names of the package, so that the same stories can be put to a real Kafka first.
"""

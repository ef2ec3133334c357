"""The messages of Kafka 4.4 that clients send and get, down to the oldest versions that ever were.

Declared from the protocol's facts; each field says in which versions it exists.  Modules are imported by
`Api.request` and `Api.response` when first asked for, or by name: `from ...messages.fetch import
FetchRequest`.  What only brokers say to each other is not declared; see `mockbroker.protocol.apis`.
"""

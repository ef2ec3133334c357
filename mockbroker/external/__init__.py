"""The same tests against a real Kafka: topics, records and groups by its own protocol, and honest skips.

    wire        blocking connections to real brokers, and which version of a request both sides know
    topics      a topic, with the methods of ours that a real broker can do
    groups      a consumer group, likewise
    cluster     what the fixtures hand out instead of a `Cluster`

Only for the pytest plugin (`--mockbroker-external`).  Speaks with what mockbroker has anyway, so no client has to
be installed; it does not know TLS or SASL.
"""

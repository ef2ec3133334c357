"""Floor 0: Kafka's wire protocol, bytes to messages and back.

Imports nothing of mockbroker and could be published alone.  It knows how a request looks, never what it
means.

types      how a field looks on the wire, and in which versions
schema     `@message` and `@struct`: the declaration is the schema, the type and the documentation
codec      `decode` and `encode`, compiled for each (message, version) on first use
frames     `FrameReader`: sized frames out of a stream of bytes
headers    request and response headers, and `seal`: a response as parts ready to be sent
errors     `ErrorCode`, `KafkaError` and `MalformedMessage`
apis       `Api`: every key, its name, and the way to its two messages
messages/  the messages themselves, imported one module at a time when first asked for
"""

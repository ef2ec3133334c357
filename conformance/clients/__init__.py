"""Real clients as judges: the same stories told by kafka-python, confluent-kafka, aiokafka and kcat.

    pytest conformance/clients                          against mockbroker, a new cluster for each story
    pytest conformance/clients --against-kafka=4.4.0    against a real Kafka: is the story itself right?

A story (stories.py and its kin) is a sentence, steps as data (steps.py), and a verdict that
reads the broker's own truth (targets.py) beside what the client was told.  play.py does the steps.  A
client that lacks what a story needs is skipped with its reason, and pytest counts the skips.

To add a client: make a folder with an `adapter.py` whose class fills `verbs.Client` (and `Reader` and
`Member`), translating each verb into the library's own call; list in `lacks` what it cannot do, with the
reason; add it to `CLIENTS` in test_stories.py; run it against a real Kafka first, since a story that fails
there is a wrong story or a wrong adapter.  A client in another language is a program that takes verbs on
stdin: its adapter is then like kcat's, a process and a parser.
"""

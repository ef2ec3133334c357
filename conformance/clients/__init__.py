"""Real clients as judges: the same stories told by clients in Python, Java, Go, JavaScript and Rust.

    pytest conformance/clients                          against mockbroker, a new cluster for each story
    pytest conformance/clients --all-clients            also the clients that are left out of everyday runs
    pytest conformance/clients --against-kafka=4.4.0    against a real Kafka: is the story itself right?
    pytest conformance/clients --against-kafka=4.4.0 --kafka-nodes=3    also the stories in which brokers die
    python -m conformance.clients.in_a_row --times 50   coordinators die, again and again

A story (stories.py and its kin) is a sentence, steps as data (steps.py), and a verdict that
reads the broker's own truth (targets.py) beside what the client was told.  play.py does the steps, and
telling.py tells the story.  A client that lacks what a story needs is skipped with its reason, and pytest
counts the skips.  `--keep-results` keeps what came of it (keeping.py).

To add a client in Python: make a folder with an `adapter.py` whose class fills `verbs.Client` (and `Reader`
and `Member`), translating each verb into the library's own call, and add it to `IN_PROCESS` in roster.py.
To add one in another language: write a small program that obeys the line protocol of lines.py, and say in
programs.py how it is built; it is built on first use and kept in the user's cache, and where its tools or
its registry are missing it is skipped.  Either way list in `lacks` what the client cannot do, with the
reason, and run it against a real Kafka first: a story that fails there is a wrong story or a wrong adapter.
"""

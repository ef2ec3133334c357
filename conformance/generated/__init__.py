"""Questions that nobody thought of: random conversations, put to mockbroker and to a real Kafka at once.

    python -m conformance.generated --conversations 300 --version 4.4.0 --seed 1

A conversation is data (conversation.py), written by Hypothesis (generate.py) and played on both (play.py,
targets.py); the first difference (judge.py) is shrunk and printed as a case ready to paste (paste.py).
test_generated.py shows that it works: it finds each of the mistakes in mutations.py.

A long hunt may be done in pieces (`--first 1001 --last 1500`), with deaths of the broker (`--deaths 2`, which
take some seconds each), and be kept for the report (`--keep`).

What hangs on time is left out by construction: a request is answered at once, or waits for another request.
"""

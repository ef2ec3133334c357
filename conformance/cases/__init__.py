"""The same questions put to mockbroker and to a real Kafka, and their answers compared whole.

    pytest conformance/cases                               mockbroker against the recorded answers, without Java
    python -m conformance.cases.record --version 4.4.0     real brokers again; says what the record did not

A case is a short story over raw requests (`a_protocol.py` and its kin): who connects, what is sent.  What
comes back is not written into the story: a real broker was asked, and its answers lie in `../recorded/`, one
line an answer.  They are normalised (normal.py): ids, ports, times and made-up names become symbols, whose
order of appearance still counts.  Nothing else is left out, so a field that nobody thought of is compared too.

The codec is kio's (codec.py) and the batches are built and read here (batches.py), so that an error in
mockbroker's own codec has no twin that hides it.  Where the answers differ mockbroker is mended; what stays
different is listed in deviations.py with its reason, and a deviation that no longer is one fails the test.
Every case is put to Kafka 3.9.1, too, where it can be; what has changed since is listed in changed_since.py.

To add a case: write it into its area's file, record it, read the record.
"""

"""COMPATIBILITY.md, written from what was measured and never by hand.

    python -m conformance.report            play the cases against mockbroker, read the kept results, write the page
    python -m conformance.report --check    write nothing, fail if the page is another one

The API table comes from mockbroker's handlers, the agreement from the cases and their recorded answers
(evidence.py), what takes long from `../results`, and the prose from known.md.
"""

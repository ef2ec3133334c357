"""How fast mockbroker is beside its peers, in ratios; `python -m conformance.benchmarks` runs it.

One file per hot path, each a list of measures.  Nothing here fails on a number: a benchmark reports, people
judge.  What a single run says is noise; rounds are interleaved and the spread is printed for that reason.
"""

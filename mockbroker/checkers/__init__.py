"""Floor 4: verdicts over the ledger; pure functions, each with three outcomes and its evidence.

PROVED: the situation came about and all was well.  VIOLATED: it was not, and here is the smallest example.
NOT EXERCISED: it never came about, so that nothing is proved.
"""

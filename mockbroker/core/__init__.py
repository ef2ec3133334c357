"""Floor 2: what brokers know and do, as functions that run to completion.

No I/O, no tasks, no wall clock and no chance but the world's; it sees messages and calls, never frames or sockets.
"""

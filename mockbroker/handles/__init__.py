"""The user's handles on a cluster: topics, groups, brokers and the clock.

Each control method is one synchronous step in the brokers' thread; each wait has a deadline.  A handle holds
a name and no state, so that it stays right whatever becomes of what it names.
"""

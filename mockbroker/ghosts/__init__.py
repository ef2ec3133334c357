"""Virtual clients that live inside the brokers: members of groups, and producers.

    line         a ghost's connections: real requests, through conversations, without sockets
    persevering  a client that finds its coordinator again, and tries once more
    sight        when it is worth asking, seen without asking
    member       a consumer in a classic group, from joining to leaving
    leading      what a leader must know: subscriptions in, assignments out
    assignors    range, roundrobin and the sticky ones, as pure functions
    offering     what a ghost offers when it joins: protocols that the others speak, too
    reading      a ghost that reads its partitions, and commits
    producer     a ghost that produces
    asking       answers that the test's acts need at once
    answers      what came of a request of theirs
    company      all ghosts of a cluster

They speak the protocol like any client, so that faults meet them and the history tells of them.  What they do
by themselves they do within the step that gives them reason to, at no interval; a step of the world costs nothing
where there are no ghosts.
"""

"""kafka-python 2.0.2, which cannot share an environment with its successor: a program of the line protocol."""

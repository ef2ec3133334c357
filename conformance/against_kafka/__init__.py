"""A real Apache Kafka, started from its published jars, as the judge of what mockbroker answers.

Knows how to resolve, start, hurt and stop it.  Does not know mockbroker.
"""

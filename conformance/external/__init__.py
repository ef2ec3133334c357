"""The pytest plugin's external mode against a real Kafka: one test file that either can run.

pytest conformance/external --against-kafka=4.4.0
"""

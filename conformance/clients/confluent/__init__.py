"""confluent-kafka (librdkafka), classic group protocol, as a client of the stories."""

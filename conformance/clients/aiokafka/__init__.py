"""aiokafka as a client of the stories."""

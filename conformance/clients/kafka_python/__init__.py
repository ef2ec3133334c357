"""kafka-python 3 as a client of the stories."""

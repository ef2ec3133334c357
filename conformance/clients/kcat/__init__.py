"""kcat, a program on the PATH, as a client of the stories."""

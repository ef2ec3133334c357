"""A crash-point sweep: the same story again and again, its connection cut at each of its requests, and verdicts."""

"""State machines that Hypothesis drives against the core, and the known mistakes that they must find."""

"""What a test does to calls and messages on their way: rules, and what they do.  Blind to handlers."""

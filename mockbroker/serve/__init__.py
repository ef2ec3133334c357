"""What the command line does: `mockbroker serve`, and the table of APIs."""

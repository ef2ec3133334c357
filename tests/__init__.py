"""The tests mirror the package: what is in `mockbroker/records/` is told in `tests/records/`."""

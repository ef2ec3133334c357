"""Imports every area, so that all cases are on the list."""

from conformance.cases import a_protocol, b_metadata

__all__ = ["a_protocol", "b_metadata"]

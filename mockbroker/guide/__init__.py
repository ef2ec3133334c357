"""The manual: Markdown pages, printed by `mockbroker guide`; their code is run by the tests."""

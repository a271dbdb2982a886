"""The long run of `tests.chaos`."""

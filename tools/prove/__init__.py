"""The long run of `tests.proof`."""

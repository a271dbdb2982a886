"""The long run of `tests.dataplane`, and what is measured there and isn't a test."""

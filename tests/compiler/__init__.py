"""The compiler, and its incremental twin."""

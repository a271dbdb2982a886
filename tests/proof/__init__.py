"""The compiler held against the oracle and against real OVN."""

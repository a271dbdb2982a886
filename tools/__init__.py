"""Commands behind targets of the Makefile: measurements, generators, long runs; they use the services of `tests`."""

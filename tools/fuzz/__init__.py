"""Fuzzing, guided by coverage: mutated objects, watch streams and OVSDB messages; `make fuzz` runs it at length."""

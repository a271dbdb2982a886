"""Measurements, run by hand: each module prints numbers and asserts nothing."""

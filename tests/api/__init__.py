"""Decoding and validation: what an API server sends becomes values, and what is wrong with it is said."""

"""Tests of the informers: the bookkeeping without I/O, manifests, and a real API server with its faults."""

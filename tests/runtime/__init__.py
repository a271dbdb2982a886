"""Tests of `nqosd.runtime`: threads and back-off."""

"""Tests of `nqosd.web`: the HTTP port and the status page."""

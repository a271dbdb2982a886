"""Tests of `nqosd.daemon.daemon`: the daemon's rounds and what each reports."""

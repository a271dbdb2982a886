"""Tests of `nqosd.ovsdb`: OVSDB on the wire."""

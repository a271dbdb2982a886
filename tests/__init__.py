"""Tests of nqosd, and the real services that they use."""

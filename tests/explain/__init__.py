"""Explanations of single packets."""

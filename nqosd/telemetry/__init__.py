"""Metrics, health and logs, beside every other part."""

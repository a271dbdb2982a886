"""Logs, metrics, health and systemd, each against its real counterpart."""

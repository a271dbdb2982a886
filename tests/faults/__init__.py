"""What happens when something fails: each fault once, on a running daemon with real servers."""

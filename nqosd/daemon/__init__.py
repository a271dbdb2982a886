"""The running daemon: what it is made of, and its rounds from changes to a transaction."""

"""The command `nqosd`."""

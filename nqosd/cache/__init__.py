"""The current objects, and the one owner of selector matching."""

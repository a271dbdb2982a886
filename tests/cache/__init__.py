"""Tables and selector matching."""

"""From what is desired and what is there to the smallest transaction that makes them equal."""

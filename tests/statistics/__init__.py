"""What the rules did: the way from a row to its counters, and counters that never go backwards."""

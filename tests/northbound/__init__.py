"""The northbound layer: pure parts against a model of a database, the whole against real ovsdb-servers."""

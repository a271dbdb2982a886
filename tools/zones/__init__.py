"""What a cluster with a database for each node costs: one daemon, the API server, and all daemons together."""

"""What is served over HTTP: metrics, probes, the state for `nqosd get`, and the status page."""

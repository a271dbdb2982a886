"""Alert rules and dashboard, held against a real Prometheus."""

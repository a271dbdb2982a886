"""From an API server, or a folder of manifests, to typed changes."""

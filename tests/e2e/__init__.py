"""The whole road on real services: from `kubectl` to the Northbound database and back to the status."""

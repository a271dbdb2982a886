"""Random changes under random faults, and then the database against the definition; `make chaos`."""

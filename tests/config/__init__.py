"""The configuration file: what it accepts, what it refuses and how it says so."""

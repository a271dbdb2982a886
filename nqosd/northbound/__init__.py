"""From desired rows and sets to the smallest transaction on the OVN Northbound database."""

"""NetworkQoS for OVN: from Kubernetes objects to QoS rows of a Northbound database."""

__version__ = "0.1.0"

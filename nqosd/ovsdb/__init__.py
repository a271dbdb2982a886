"""OVSDB on the wire: values, messages, connections."""

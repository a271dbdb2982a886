"""The systemd unit and what is installed with it, checked by systemd's own tools and a real ovsdb-server."""

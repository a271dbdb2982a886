"""What is handed out: wheel, source archive, Debian package, manifests, shell completion."""

"""`nqosd doctor` on set-ups that are broken, one thing at a time, with real servers."""

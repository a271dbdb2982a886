"""The documentation: every page is true."""

"""The documentation: what of it is generated, how it is built, and pictures of it."""

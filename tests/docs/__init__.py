"""The documentation: what of it is generated, how it is built, and the tests that every page is true."""

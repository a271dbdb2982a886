"""A short run of the fuzzer, without its guidance."""

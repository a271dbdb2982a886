"""Tests of `nqosd.kube`: the client of the API server."""

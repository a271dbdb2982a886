"""Real services for the tests: ovsdb-server, northd, ovn-controller, etcd and kube-apiserver.

`python3 -m tests.services.install` puts their programs into a cache outside the repository; the modules of this package
start them, each in a directory of its own. Any test may import it.
"""

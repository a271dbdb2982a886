"""QoS on the wire: real packets through real OVN, with the daemon and the API server that a cluster would have.

`make dataplane` runs `python -m tools.dataplane`; the tests here are its short form. The testbed is built from the
bottom up: `namespaces`, `underlay`, `node`, `networks`, `ovn_kubernetes`, `pods`, `testbed`; what is asked of it is in
`matrix`, `guide` and `costs`. Everything lives in network namespaces without names, which end with the process that
asked.
"""

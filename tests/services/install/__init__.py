"""Install the programs that the tests run: standard library only, since it runs before there is a virtual environment.

In: the Go modules beside this file, and the machine's apt sources. Out: one directory per program or OVN generation in
the cache. The rule: a directory is there only when it is complete, and its name changes with whatever it is made from.
"""

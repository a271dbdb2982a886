"""`kubectl nqos`: the commands of the plugin, from a machine that has a kubeconfig and nothing else.

They ask the API server, and through its proxy the pods of nqosd. What can't be reached is said on standard error.
"""

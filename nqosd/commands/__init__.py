"""Commands of `nqosd`, each in a module of its own.

In: arguments that were parsed. Out: text, and an exit code. Rule: `table` says which commands there are and which
arguments they take, and imports nothing that takes time; a command's module has a function `run`, and is imported when
it is asked for.
"""

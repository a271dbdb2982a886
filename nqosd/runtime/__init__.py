"""What the process needs of Python and of the system: threads, signals, files, garbage collection, back-off, budgets."""

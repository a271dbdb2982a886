"""What the process needs of Python and the system: threads, signals, files, garbage collection, back-off, budgets."""

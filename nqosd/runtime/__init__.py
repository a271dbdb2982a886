"""What the process needs of Python and the operating system: threads, signals, files, garbage collection; back-off, budgets."""

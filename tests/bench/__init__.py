"""What the benchmark counts, and which work a pod event is: tests that need no quiet machine."""

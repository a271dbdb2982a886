"""What a committed round means for each policy: conditions, the summary and Events."""

"""What the database holds, kept equal to it."""

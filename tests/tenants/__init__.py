"""What one tenant can do to another: each attack as a test, with a victim whose rows stay as they are."""

"""From policies, pods and networks to desired rows and sets: pure functions, and their incremental twin."""

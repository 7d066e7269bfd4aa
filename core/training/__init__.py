"""The training loop, the thread it runs on, and what it leaves on disk."""

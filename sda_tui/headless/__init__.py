"""The commands that need no screen, on the same engine as the app."""

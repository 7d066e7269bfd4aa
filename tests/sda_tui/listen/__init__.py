"""The listener page."""

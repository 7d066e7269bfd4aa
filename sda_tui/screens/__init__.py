"""One file per screen; a screen arranges, widgets draw, the session knows."""

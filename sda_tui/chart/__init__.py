"""Curves and bars in a terminal: what is shown (panels, view), and how (scale, raster, picture)."""

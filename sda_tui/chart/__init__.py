"""Curves and bars in a terminal: what is shown (panels, view), and how it is drawn (scale, raster, picture)."""

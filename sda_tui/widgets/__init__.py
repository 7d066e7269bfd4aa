"""Widgets: each draws what it is given; none reads a run or the engine."""

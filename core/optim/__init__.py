"""Optimisers, the moving average of the weights, and schedules."""

"""The training loop, the task that it trains, and what runs beside it."""

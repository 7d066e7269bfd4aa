"""What benchmarks/speed.py measures, a part each."""

"""What benchmarks/speed.py measures, a part each."""

from core.engine import set_environment

set_environment()  # before any part loads torch, as the program does

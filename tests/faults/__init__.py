"""Faults, on purpose: killed processes, damaged sounds and checkpoints, hostile runs, poor machines.

    python -m tests.faults [PART ...] [--seed 0] [--jobs 2] [--audio 5000] [--runs 1000] [--kills 100] …

Every input is made from the seed and its number.  The table at the end counts, for each part, what was tried
and what went wrong: tracebacks, hangs, bytes written outside, wrong results.  The exit status is 1 if
anything did.  The suite runs a short version, `make test-faults` the long one.
"""

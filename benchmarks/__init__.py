"""What is measured against floors, peers and baselines; `python -m benchmarks` runs all of it."""

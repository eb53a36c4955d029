"""Benchmarks: dal beside its peers, in one run, on one server. Each is a module to run with `python -m`."""

"""Benchmarks: each prints a table with machine, commit and date beside a named baseline."""

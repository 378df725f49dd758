"""Solvers of transport problems: each returns a proven bracket of the distance."""

"""Pairs of distributions with known W1."""

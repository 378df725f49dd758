"""Proven upper bounds of Lipschitz constants, and of rounding."""

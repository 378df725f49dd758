"""Layers that are 1-Lipschitz by construction."""

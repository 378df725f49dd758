"""Activations that keep the norm of gradients."""

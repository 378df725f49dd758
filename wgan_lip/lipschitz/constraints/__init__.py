"""Ways to hold a weight in a set of 1-Lipschitz matrices."""

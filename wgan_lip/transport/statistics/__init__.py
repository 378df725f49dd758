"""What sampling does to W1: noise floor, bounds of the distance between distributions, sliced W1."""

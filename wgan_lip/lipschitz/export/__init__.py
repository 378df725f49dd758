"""Networks as ordinary layers."""

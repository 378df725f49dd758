"""Where a network loses gradient norm."""

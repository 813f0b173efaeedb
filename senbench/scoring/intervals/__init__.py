"""95 % intervals of one figure."""

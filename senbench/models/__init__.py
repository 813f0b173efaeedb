"""Models: cards (contracts), adapters, and what a run needs of a model."""

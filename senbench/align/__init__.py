"""SenCLIP's method: a tile tower aligned with frozen embeddings of ground-level photos, from pairs to a card."""

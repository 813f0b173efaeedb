"""Embeddings: tiles and texts through a model in batches, kept in a content-addressed cache."""

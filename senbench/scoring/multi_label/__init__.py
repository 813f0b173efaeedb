"""Metrics of multi-label datasets."""

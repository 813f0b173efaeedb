"""Metrics of single-label datasets."""

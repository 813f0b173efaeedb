"""Checks that a result is consistent with its rows, its settings and the shipped data."""

"""Checkpoint files: fetched, identified, read and held against the release."""

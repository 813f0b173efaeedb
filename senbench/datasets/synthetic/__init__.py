"""Synthetic scenes, drawn by the code in this folder."""

"""The gate of a CI: baselines, and results compared with them."""

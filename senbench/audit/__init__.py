"""Whether a result is what it says."""

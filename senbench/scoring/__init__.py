"""Zero-shot scores, metrics and their uncertainty: pure functions on arrays (docs/methods.md)."""

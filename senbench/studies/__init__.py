"""Studies over many settings: prompts chosen, resampled and shown, differences explained, tables reproduced."""

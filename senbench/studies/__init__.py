"""Studies: prompts chosen, resampled and shown, differences explained, tables reproduced, an installation measured."""

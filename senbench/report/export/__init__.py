"""Results in other formats: CSV, JSON, Markdown, LaTeX, model-index."""

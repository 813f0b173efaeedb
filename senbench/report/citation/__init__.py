"""How a result is cited: methods paragraph, table, BibTeX, checklist."""

"""Two or more results compared: paired tests, ranks, factorials, attributions."""

"""The throughput engine and the content-addressed embedding cache."""

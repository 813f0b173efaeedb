"""The packed store: a dataset decoded once for all runs."""

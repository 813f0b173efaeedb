"""Pages built from result files alone."""

"""Pages and texts made from result files alone."""

"""Two results compared, as text and as a page."""

"""Whether an installation works, and how fast it is."""

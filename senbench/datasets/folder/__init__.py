"""A user's own images or GeoTIFFs, in class folders or named by a table."""

"""A user's own folder of images or GeoTIFFs."""

"""How tiles are read: folders and zips, GeoTIFFs, images, tar streams."""

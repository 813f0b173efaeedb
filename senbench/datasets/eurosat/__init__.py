"""EuroSAT: JPEGs, multispectral GeoTIFFs, the hub's copies, and the splits."""

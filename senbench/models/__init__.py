"""Models: contracts (cards), weights, and thin adapters over the libraries that hold the architectures."""

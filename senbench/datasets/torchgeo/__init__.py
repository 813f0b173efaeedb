"""TorchGeo's classification datasets by the names of their classes."""

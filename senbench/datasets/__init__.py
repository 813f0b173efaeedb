"""Datasets: each opens to one contract (`tiles.Tiles`); tiles are decoded and rendered when they are asked for."""

"""Datasets: each opens to the same tile contract (`base.Tiles`), decoded and rendered lazily."""

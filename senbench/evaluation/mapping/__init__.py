"""From tiles to a map: what a run settled, applied to tiles without labels and to whole scenes."""

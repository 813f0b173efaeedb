"""Stands in for LUCAS: points with a tile and photos to four sides, generated; nothing in them is real."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
rows = []
for i in range(160):
    point, colour = f"{45802800 + 2 * i}", rng.integers(30, 225, 3)
    folder = Path("photos/AT") / point[:3] / point[3:6]
    folder.mkdir(parents=True, exist_ok=True)
    for direction in "NESWP":
        photo = np.clip(colour + 25 * rng.normal(size=(48, 64, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(folder / f"{point}{direction}.jpg")
    Path("tiles").mkdir(exist_ok=True)
    tile = np.clip(colour + 15 * rng.normal(size=(100, 100, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(tile).save(f"tiles/{point}.png")
    rows.append([point, "AT", 46.5 + 0.1 * (i // 16), 9.5 + 0.3 * (i % 16)])
with Path("survey.csv").open("w", newline="") as stream:
    csv.writer(stream).writerows([["POINT_ID", "NUTS0", "TH_LAT", "TH_LONG"], *rows])

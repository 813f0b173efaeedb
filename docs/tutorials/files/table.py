"""Makes synthetic tiles and a table that names them: stands in for yours."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from senbench.datasets.synthetic.scenes import scene

Path("images").mkdir()
with Path("tiles.csv").open("w", newline="") as stream:
    table = csv.writer(stream)
    table.writerow(["path", "label", "split", "lat", "lon"])
    for k, name in enumerate(("AnnualCrop", "Forest", "Highway", "River")):
        for seed in range(40):
            rgb = scene(name, seed)[[3, 2, 1]].transpose(1, 2, 0) / 2750 * 255
            path = f"images/{name}_{seed}.png"
            Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)).save(path)
            table.writerow([path, name, "train" if seed < 10 else "test", 42 + seed % 8, 2 + 3 * (seed // 8) + k])

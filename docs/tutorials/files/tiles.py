"""Makes a folder of synthetic tiles: stands in for yours."""

from pathlib import Path

import numpy as np
from PIL import Image

from senbench.datasets.synthetic.scenes import scene

for name in ("AnnualCrop", "Forest", "River"):
    folder = Path("tiles") / name
    folder.mkdir(parents=True)
    for seed in range(40):
        rgb = scene(name, seed)[[3, 2, 1]].transpose(1, 2, 0) / 2750 * 255
        Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)).save(folder / f"{name}_{seed}.png")

"""Writes embeddings made anywhere to an .npz; here they come from the shipped model."""

import numpy as np

import senbench
from senbench.datasets.open import open_dataset

tiles = open_dataset("demo", split="test", data_dir=None)
classes = [name.lower() for name in tiles.info.classes]
model = senbench.load_model("mini")

np.savez(
    "embeddings.npz",
    images=model.encode_images([tiles.read(i) for i in range(len(tiles))]),  # (N, D)
    labels=tiles.labels,  # (N,), or multi-hot (N, C)
    texts=model.encode_texts([f"a satellite photo of {name}" for name in classes]),  # (P, D)
    text_class=np.arange(len(classes)),  # class of each text, (P,)
    class_names=np.array(classes),
    clusters=np.array(tiles.clusters()),  # place of each image, if known
    logit_scale=model.logit_scale,  # multiplier of the cosine, not its logarithm
)

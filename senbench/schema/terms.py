"""Terms with a closed set of values, as the field uses them; every room shares them."""

from typing import Literal

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Sentinel-2's bands by wavelength. The golden image of `models verify` depends on the positions in this list."""
Activation = Literal["quickgelu", "gelu", "gelu-tanh", "silu"]
ResizeMode = Literal["squash", "shortest-crop"]
PixelPath = Literal["exact", "device"]
Kernels = Literal["torch", "onednn"]
"""Which kernels multiply on a CPU: torch's own choice (`F.linear`), or oneDNN with weights laid out once."""
KernelChoice = Literal["auto", "torch", "onednn"]
"""The same as asked for; `auto`: whichever is faster on this machine."""
Interpolation = Literal["bicubic", "bilinear"]
Unit = Literal["uint8", "dn"]
Collection = Literal["eurosat", "bigearthnet", "senbench-scenes", "whu-rs19"]
Level = Literal["L1C", "L2A"]
CommercialUse = Literal["allowed", "forbidden", "not stated"]
Grade = Literal[
    "images",
    "captions from labels",
    "other split of the same data set",
    "same geography and sensor",
    "unknown",
    "none known",
]
Task = Literal["single-label", "multi-label"]
Ensemble = Literal["norm-mean-norm", "mean-norm", "logit-mean", "prob-mean", "max", "dap"]
PostProcess = Literal["none", "column-mean", "transclip"]
Dtype = Literal["float32", "tf32", "bf16", "fp16"]
"""Precision of the encoders; `tf32`: float32 whose products a CUDA device computes in TF32."""

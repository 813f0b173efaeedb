"""Other tools on the same files and weights, with the models of the libraries that they use and torch's kernels."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

from senbench.datasets.open import open_dataset
from senbench.embedding.engine import embed_images
from senbench.models import architectures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter

PEERS = ("CLIP_benchmark", "TorchGeo + DataLoader")


def ways(
    encoder: Adapter, tiles: Tiles, root: Path, plain: Callable[[], Adapter]
) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Other tools on the same files, the same weights and the same work, and why others are left out.

    Args:
        encoder: The model of senbench, as a run has it.
        tiles: Tiles.
        root: Folder that the files are written to.
        plain: Loads the same model with torch's kernels.

    Returns:
        Name of a tool -> one pass over all files (`same files`: senbench's); name -> why it is not there.
    """
    if encoder.card.unit != "uint8" or tiles.tile_labels.ndim != 1:
        return {}, dict.fromkeys(PEERS, "it reads 8-bit images with one label each")
    import torch
    import torchvision
    from PIL import Image

    from senbench.models.adapter import torch_dtype
    from senbench.models.openclip import OpenClipAdapter

    for i, label in enumerate(tiles.tile_labels):
        path = root / f"class{label:03d}" / f"{i:06d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(tiles.read(i)).save(path, quality=95)
    how, dtype = encoder.preprocess, torch_dtype(encoder.dtype)
    transforms = torchvision.transforms
    resize = transforms.Resize(how.resolution, interpolation=transforms.InterpolationMode(how.interpolation))
    shift = transforms.Normalize(how.mean, how.std)
    size, workers = min(encoder.batch_size, len(tiles)), min(4, os.cpu_count() or 1)
    pixels = transforms.Compose([resize, transforms.CenterCrop(how.resolution), transforms.ToTensor(), shift])
    ours = open_dataset(f"folder:{root}", split=None, data_dir=None)
    found: dict[str, Callable[[], object]] = {"same files": lambda: embed_images(encoder, ours, None)}
    left_out: dict[str, str] = {}
    theirs = plain()
    if isinstance(theirs, OpenClipAdapter):
        theirs.model = open_clips(theirs)

    def loader(data: Any) -> Any:
        return torch.utils.data.DataLoader(data, batch_size=size, num_workers=workers, persistent_workers=True)

    if importlib.util.find_spec("clip_benchmark") is None:
        left_out[PEERS[0]] = "not installed (`uv sync --group bench`)"
    elif not isinstance(theirs, OpenClipAdapter):
        left_out[PEERS[0]] = "it takes models of open_clip"
    else:
        from clip_benchmark.metrics import zeroshot_classification as peer

        peer.tqdm = lambda batches: batches
        files = loader(torchvision.datasets.ImageFolder(str(root), transform=pixels))
        classifier = torch.randn(encoder.embed_dim, 10).to(encoder.device, dtype)
        amp = encoder.dtype != "float32"
        found[PEERS[0]] = lambda: peer.run_classification(theirs.model, classifier, files, encoder.device.type, amp=amp)
    if importlib.util.find_spec("torchgeo") is None:
        left_out[PEERS[1]] = "not installed"
    else:
        from torchgeo.datasets import NonGeoClassificationDataset

        def sample(one: dict[str, Any]) -> dict[str, Any]:
            return {**one, "image": shift(resize(one["image"] / 255))}

        samples = loader(NonGeoClassificationDataset(str(root), transforms=sample))

        def bare() -> list[Any]:
            with torch.inference_mode():
                rows = [theirs._encode_image_batch(one["image"].to(encoder.device)) for one in samples]
                return [torch.nn.functional.normalize(some.float(), dim=-1).cpu() for some in rows]

        found[PEERS[1]] = bare
    return found, left_out


def open_clips(plain: Adapter) -> torch.nn.Module:
    """open_clip's own model with the weights of one whose kernels are torch's; what open_clip built is that already.

    Args:
        plain: An adapter of open_clip's architectures.
    """
    from senbench.models.clip import vit

    built: torch.nn.Module = plain.model
    if not isinstance(built, vit.CLIP):
        return built
    import open_clip

    with architectures.parameters_on_meta():
        model: torch.nn.Module = open_clip.CLIP(**architectures.config(plain.card))
    model.load_state_dict(built.state_dict(), assign=True)
    return model.to(plain.device).eval().requires_grad_(requires_grad=False)

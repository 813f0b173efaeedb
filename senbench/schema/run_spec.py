"""Everything that determines a run, as a user asks for it."""

from typing import Annotated, Literal

from pydantic import Field

from senbench.schema.record import Record
from senbench.schema.terms import Dtype, Ensemble, KernelChoice, PostProcess


class RunSpec(Record):
    """Everything that determines a run, as passed; a grid of models x prompts x datasets."""

    models: tuple[str, ...]
    """Model ids or aliases."""
    prompts: tuple[str, ...]
    """Prompt styles, or paths to `.j2` or `.json` files."""
    datasets: tuple[str, ...] = ("eurosat",)
    """Dataset ids."""
    protocol: str = "standard"
    """Named bundle of settings; explicit fields below override it."""
    split: str | None = None
    """Split name or a file of tile names; None: the protocol's."""
    data_dir: str | None = None
    """Folder that holds the data; None: under SENBENCH_HOME."""
    weights: str | None = None
    """Local checkpoint file, for a single model."""
    accept_new_weights: bool = False
    """Accept a weights file that changed since it was first used."""
    accept_pixels: bool = False
    """Go on with tiles whose values are not those of real Sentinel-2 tiles, and mark the result."""
    class_names: str | None = None
    """Class-name set, or a YAML file for `folder:` datasets."""
    ensemble: Ensemble | None = None
    """Ensembling rule; None: the protocol's."""
    postprocess: PostProcess | None = None
    """Score post-processing; None: the protocol's."""
    radiometry: str | None = None
    """Rendering of DN; None: the dataset's default."""
    dn_offset: Literal["auto", "0", "1000"] = "auto"
    """DN to subtract from the tiles of a user's own folder; `auto`: what their metadata tell."""
    labels: Literal["own", "v1"] = "own"
    """`v1`: BigEarthNet v2's patches under the labels that v1 gave to their pixels."""
    tune: str | None = None
    """Multi-label: split on whose labels the thresholds of the `tuned` figures are chosen (access level 3)."""
    anchors: str | None = None
    """Split on whose labels supervised classifiers are trained on the same embeddings, as a line for scale."""
    shots: tuple[Annotated[int, Field(ge=1, le=1000)], ...] | None = None
    """Labelled images per class, drawn from the split of `anchors`, on which classifiers are trained too."""
    limit: int | None = None
    """Evaluate a stratified, seeded subset of this many tiles."""
    seed: int = 0
    """Seed of the subset and the bootstrap."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ..."""
    dtype: Dtype = "float32"
    """Precision of the encoders; scores are always float32."""
    exact: bool = False
    """Resize with PIL on the host where the device would do it (protocols that set the normalisation always do), and
    multiply with torch's kernels."""
    kernels: KernelChoice = "auto"
    """Kernels that multiply on a CPU; `auto`: the faster ones here, and those that a run began with."""
    batch_size: int | None = None
    """Images per batch; None: chosen by device and model."""
    on_error: Literal["stop", "skip"] = "stop"
    """What to do with a tile that cannot be decoded."""
    offline: bool = False
    """Never open a socket."""
    cache: bool = True
    """Keep and reuse image embeddings under SENBENCH_HOME."""
    noise: int | None = Field(default=None, ge=1)
    """Repeat the run on so many tiles under other batch sizes, precisions and resizing; None: it is not repeated."""
    results: str | None = "results"
    """Folder for result files; None: nothing is written."""

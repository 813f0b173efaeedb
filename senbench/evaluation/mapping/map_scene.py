"""A scene to a map: windows classified, cells written, the page made, and all of it put in place at once."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import senbench
from senbench.datasets.bands import pair
from senbench.datasets.radiometry import DIGITAL
from senbench.datasets.readers.footprint import crs_name
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError, UsageError, brief
from senbench.evaluation import pixels
from senbench.evaluation.embed import Embedder
from senbench.evaluation.mapping import map_pictures, map_rasters, truth_map
from senbench.evaluation.mapping.block_reader import CLASSIFIED, SceneReader, read_block, windows_of
from senbench.evaluation.mapping.cells import WindowScores
from senbench.evaluation.mapping.scene import open_scene
from senbench.evaluation.mapping.scene_pass import PartFiles, ScenePass
from senbench.evaluation.mapping.tile_answers import of_run
from senbench.evaluation.mapping.window_grid import lay, tile_size
from senbench.results.qualifications import model_name
from senbench.results.store import as_json
from senbench.runtime.distributed import ALONE, Team
from senbench.runtime.paths import home
from senbench.schema.map_facts import ClassShare, MapFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.scene import Scene
    from senbench.evaluation.mapping.settled import Settled, Where
    from senbench.evaluation.mapping.tile_answers import How
    from senbench.evaluation.mapping.window_grid import WindowGrid
    from senbench.models.lazy_model import LazyModel
    from senbench.runtime.progress import Progress

    Page = Callable[[MapFacts, bytes | None, bytes], str]
    """Makes `index.html` of the facts, the picture of the scene (WebP) and that of the map."""

NAMES = ("classified", "no data", "cloud", "impossible values")
"""What became of a window, as `block_reader` counts it."""
SAMPLE = 200
"""Windows of one block that are held against what real tiles have."""


class MapJob(NamedTuple):
    """What is to be mapped, and where to."""

    scene: str
    """Raster, folder of band files, or `.SAFE` product."""
    out: str
    """Folder that is made."""
    dn_offset: str = "auto"
    """DN to be subtracted; `auto`: what the metadata tell."""
    window: int | None = None
    """Side of a window in pixels; None: that of the run's tiles."""
    stride: float | None = None
    """Metres between two windows; None: their side."""
    truth: str | None = None
    """Land-cover raster that the map is held against."""
    truth_classes: str | None = None
    """Table of its values and the run's classes."""

    def checked_out(self) -> Path:
        """The folder to be made.

        Raises:
            UsageError: It is there already, and not empty.
            UnavailableError: The folder that it is to lie in is not there.
        """
        path = Path(self.out).expanduser().absolute()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"--out {self.out} exists: give another name, or remove it")
        if not path.parent.is_dir():
            raise UnavailableError(f"--out {self.out}: there is no folder {path.parent.name}")
        return path


def map_scene(
    settled: Settled, job: MapJob, where: Where, how: How, progress: Progress, page: Page, team: Team = ALONE
) -> MapFacts | None:
    """Classify the windows of a scene as a run did, and write the map.

    Args:
        settled: The run.
        job: Scene, windows and folder.
        where: Weights and device.
        how: Batch size and whether pixels are accepted as they are.
        progress: Draws progress.
        page: Makes the page.
        team: The processes that share the windows.

    Returns:
        What is known of the map; None in a process that is not the first.

    Raises:
        UsageError: Run, scene, windows or land-cover map do not fit together; nothing was written.
        UnavailableError: Weights, device, a block of the scene or space is missing; parts are kept.
    """
    began = time.perf_counter()
    if settled.together is not None:
        raise UsageError(
            f"{settled.result.run_id} was made with {settled.together}, which compares all tiles with one another: a "
            "map needs a run that classifies each tile alone (--postprocess none, an ensemble other than dap)"
        )
    out, scene = job.checked_out(), open_scene(job.scene, job.dn_offset)
    policy = settled.rendering(scene.info) or scene.info.radiometry
    size = tile_size(settled)
    grid = lay(scene, size, job.window, job.stride)
    _fits(settled, scene)
    truth = truth_map.opened(job.truth, job.truth_classes, settled)
    with team.first_alone():
        encoder = settled.encoder(where._replace(device=team.device(where.device)), progress)
        embedder = Embedder(encoder, home() / "cache", progress, EmbedOptions(how.batch_size, say=progress.say))
        classifier = settled.classifier(embedder)
    options = EmbedOptions(how.batch_size, say=progress.say)
    whole = ScenePass(settled, scene, grid, encoder, classifier, options)
    files = PartFiles(out.with_name(f".{out.name}.parts"), len(settled.classes))
    with team.first_alone():
        if not team.rank:
            files.begin(_settings(whole, encoder, how), progress.say)
            _look(whole, how, progress)
    whole.classify(files, team, progress)
    team.to_first(None)
    if team.rank:
        return None
    scores = WindowScores(grid, files)
    with _made(out) as folder:
        marks = (*settled.marks(), *settled.differences(scene.info), *_of_windows(settled, scene, grid, size, job))
        tags = {"SENBENCH": json.dumps({**of_run(settled, marks), "scene": scene.title}, ensure_ascii=False)}
        shares = map_rasters.write(settled, scene, scores, folder, tags)
        facts = _facts(whole, shares, scores.counts(), marks, policy)
        facts = facts.model_copy(
            update={
                "ground_known": job.window is None and size is not None and size.metres is not None,
                "truth": None if truth is None else truth_map.compare(truth, settled, folder / "classes.tif"),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
        _pictures(whole, folder, facts, page)
    shutil.rmtree(files.folder, ignore_errors=True)
    return facts


def _fits(settled: Settled, scene: Scene) -> None:
    """Refuse a scene whose bands or values the run's model does not take, before anything is loaded."""
    wanted, radiometry = settled.rendering(scene.info), settled.result.dataset.radiometry
    pair(settled.model.card, scene.info, radiometry if radiometry == DIGITAL else wanted)


def _settings(whole: ScenePass, encoder: LazyModel, how: How) -> dict[str, Any]:
    """All that decides the scores of windows."""
    scene, grid = whole.scene, whole.grid
    return {
        "senbench": senbench.__version__,
        "identity": encoder.image_identity(),
        "prompts": whole.settled.prompts.hash,
        "ensemble": whole.settled.result.ensemble,
        "bands": whole.bands,
        "policy": whole.policy,
        "scene": [scene.title, scene.stamp, scene.offset, scene.told.gain, *scene.transform[:6]],
        "windows": [*grid.size, grid.side, grid.stride],
        "batch": how.batch_size or encoder.batch_size,
    }


def _look(whole: ScenePass, how: How, progress: Progress) -> None:
    """Hold windows of a block in the middle against what real tiles have; raises UsageError."""
    blocks = whole.grid.blocks()
    source = SceneReader(whole.scene, whole.bands)
    try:
        for k in sorted(range(len(blocks)), key=lambda k: abs(k - len(blocks) // 2))[:9]:
            reader = read_block(source, whole.grid, blocks[k], whole.policy)
            there = (reader.state().ravel() == CLASSIFIED).nonzero()[0]
            if len(there):
                tiles = whole.settled.as_seen(windows_of(whole.scene, reader, whole.policy))
                step = max(1, len(there) // SAMPLE)
                spec = whole.settled.spec(accept_pixels=how.accept_pixels)
                pixels.checked(tiles.take(there[::step]), spec, progress, kept=False)
                return
    finally:
        source.close()


def _of_windows(settled: Settled, scene: Scene, grid: WindowGrid, size: Any, job: MapJob) -> tuple[str, ...]:
    """What a reader must know of the windows."""
    found = []
    if job.window is not None and (size is None or size.pixels != job.window):
        its = "not known" if size is None else f"{size.pixels} pixels"
        found.append(f"windows have {job.window} pixels as asked for; the size of the run's tiles is {its}")
    elif size is None or size.metres is None:
        found.append(
            f"the ground size of the run's tiles is not known: windows have their size in pixels, {grid.side}, which "
            f"is {grid.side * scene.pixel:g} m here"
        )
    if scene.clouds is None:
        found.append("there is no scene classification: clouds are classified as if they were ground")
    return tuple(found)


def _facts(
    whole: ScenePass, shares: map_rasters.Shares, counts: NDArray[Any], marks: tuple[str, ...], policy: str
) -> MapFacts:
    settled, scene, grid = whole.settled, whole.scene, whole.grid
    result = settled.result
    area = (grid.stride * scene.pixel) ** 2 / 1e6
    headline = result.metrics[result.headline]
    classes = tuple(
        ClassShare(
            key=key,
            name=name,
            colour=colour,
            cells=int(cells),
            share=float(cells) / shares.classified if shares.classified else None,
            km2=round(float(cells) * area, 6),
        )
        for key, name, colour, cells in zip(
            settled.classes,
            settled.prompts.names,
            map_rasters.colours(settled.classes),
            shares.cells.tolist(),
            strict=True,
        )
    )
    windows = dict(zip(NAMES, counts.tolist(), strict=True)) | {"incomplete at the edge": grid.incomplete}
    return MapFacts(
        senbench=senbench.__version__,
        run=result.run_id,
        model=model_name(result),
        weights_sha256=settled.model.digest,
        prompts=result.prompts.id,
        prompts_sha256=result.prompts.hash,
        dataset=f"{result.dataset.title}, {result.dataset.split}",
        headline=_headline(result.headline, headline.value, headline.ci),
        task=result.dataset.task,
        scene=scene.title,
        level=scene.info.level,
        radiometry="native" if settled.model.card.unit != "uint8" else policy,
        crs=crs_name(scene.crs) if len(crs_name(scene.crs)) < 40 else "user-defined",
        pixel_m=scene.pixel,
        scene_pixels=scene.size,
        window_pixels=grid.side,
        ground_known=False,
        stride_pixels=grid.stride,
        cells=grid.cells,
        classified=shares.classified,
        windows=windows,
        clouds="none known: no scene classification"
        if scene.clouds is None
        else "left out by the scene classification",
        marks=marks,
        classes=classes,
        seconds=0.0,
    )


def _headline(name: str, value: float | None, ci: tuple[float, float] | None) -> str:
    told = "undefined" if value is None else f"{100 * value:.1f} %"
    return f"{name} {told}" + ("" if ci is None else f" [{100 * ci[0]:.1f}, {100 * ci[1]:.1f}]")


def _pictures(whole: ScenePass, folder: Path, facts: MapFacts, page: Page) -> None:
    """`map.png`, `map.json` and `index.html`."""
    several = facts.task == "multi-label"
    colours, names = [one.colour for one in facts.classes], [one.name for one in facts.classes]
    source = folder / ("scores.tif" if several else "classes.tif")
    cells = map_pictures.of_classes(source, colours, several=several)
    title = f"{facts.scene}: {facts.model}, {facts.prompts} prompts"
    (folder / "map.png").write_bytes(map_pictures.with_legend(cells, names, colours, title))
    (folder / "map.json").write_text(as_json(facts) + "\n", encoding="utf-8")
    scene = map_pictures.of_scene(whole.scene, whole.policy)
    high, wide = (round(n * part) for n, part in zip(cells.shape, whole.grid.covered, strict=False))
    cells = cells[:high, :wide]  # of the last cells what the scene has: both pictures show the same ground
    (folder / "index.html").write_text(page(facts, scene, map_pictures.webp(cells)), encoding="utf-8")


@contextmanager
def _made(out: Path) -> Iterator[Path]:
    """A folder beside the one to be made, which takes its place if nothing fails; raises UnavailableError."""
    from rasterio.errors import RasterioError

    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        temporary.rename(out)
    except (RasterioError, OSError) as error:
        why = getattr(error, "strerror", None) or brief(error)
        raise UnavailableError(f"{out} cannot be written: {why}; windows that were classified are kept") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

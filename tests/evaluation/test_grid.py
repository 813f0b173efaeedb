"""The runner: what a result holds, what is complete, what a user's own object gives."""

from __future__ import annotations

import json

import bigearthnet_files
import numpy as np
import pytest
import runs
import stubs
from pyarrow import parquet

import senbench
from senbench import protocols
from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.evaluation.grid import _Job, _unread
from senbench.evaluation.grid import run as run_grid
from senbench.models import kernels, onednn, registry
from senbench.prompts import load_prompts, load_vocabulary
from senbench.results import store, thumbnails
from senbench.runtime.distributed import Team
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec

PROMPTS = {"Field": ["a field", "a wide field"], "Lake": ["a lake"], "Town": ["a town", "the old town"]}


def evaluate(tmp_path=None, tiles=None, encoder=None, prompts=PROMPTS, **options):
    return senbench.evaluate(
        encoder or stubs.StubEncoder(),
        tiles or stubs.tiles(),
        prompts,
        results=None if tmp_path is None else str(tmp_path),
        **options,
    )


def test_a_right_by_construction_encoder_scores_one():
    result = evaluate()
    assert result.metrics["top1"].value == 1
    assert result.metrics["top1"].n == 60
    assert result.metrics["top1"].interval.startswith("iid")
    assert result.confusion == ((20, 0, 0), (0, 20, 0), (0, 0, 20))
    assert result.complete
    assert result.access_level == 0
    assert result.lines == {"chance": pytest.approx(1 / 3), "majority": pytest.approx(1 / 3)}


def test_swapped_channels_are_noticed():
    tiles = stubs.tiles()
    swapped = stubs.tiles(reader=lambda i: tiles.read(i)[..., ::-1].copy())
    assert evaluate(tiles=swapped).metrics["top1"].value < 0.5


def test_prompts_are_aligned_by_name_not_by_position():
    backwards = dict(reversed(PROMPTS.items()))
    result = evaluate(prompts=backwards)
    assert result.metrics["top1"].value == 1
    assert list(result.prompts.texts) == list(stubs.CLASSES)
    assert result.prompts.hash == evaluate().prompts.hash


def test_result_files_recompute_the_metric(tmp_path):
    tiles = stubs.tiles(bad=[4])
    result = evaluate(tmp_path, tiles, on_error="skip")
    folder = tmp_path / result.run_id
    table = parquet.read_table(folder / "predictions.parquet").to_pydict()
    assert table["id"] == [name for name in tiles.ids if name != "Lake_4"]
    scores = np.array([table[f"score_{key}"] for key in stubs.CLASSES]).T
    best = np.array(stubs.CLASSES)[scores.argmax(1)]
    assert list(best) == table["prediction"]
    assert (best == np.array(table["label"])).mean() == result.metrics["top1"].value
    assert table["cluster"] == [None] * 59
    assert store.load(folder) == store.load(folder / "result.json")
    assert store.load(folder).metrics == result.metrics
    pictures = store.read_thumbnails(folder)
    assert pictures
    at = {name: i for i, name in enumerate(tiles.ids)}
    for name, (label, data) in pictures.items():
        assert (label, data) == (stubs.CLASSES[at[name] % 3], thumbnails.encode(tiles.picture(at[name])))
    data = json.loads((folder / "result.json").read_text())
    assert [m for m in _keys(data) if m == "metrics"] == ["metrics"]


def _keys(value):
    if isinstance(value, dict):
        for key, deep in value.items():
            yield key
            yield from _keys(deep)
    elif isinstance(value, list):
        for deep in value:
            yield from _keys(deep)


def test_predictions_open_with_datasets(tmp_path):
    from datasets import load_dataset

    result = evaluate(tmp_path)
    path = str(tmp_path / result.run_id / "predictions.parquet")
    table = load_dataset("parquet", data_files=path, cache_dir=str(tmp_path / "hf"))["train"]
    assert table.num_rows == 60
    assert table.features["score_Lake"].dtype == "float32"


def test_skipped_tiles_make_it_incomplete():
    result = evaluate(tiles=stubs.tiles(bad=[4, 5]), on_error="skip")
    assert not result.complete
    assert result.dataset.n_evaluated == 58
    assert [entry.id for entry in result.dataset.skipped] == ["Lake_4", "Town_5"]
    assert any("2 tiles could not be decoded" in w for w in result.warnings)
    view = stubs.tiles(bad=[4, 5]).take(range(59, 3, -1))
    assert [entry.id for entry in evaluate(tiles=view, on_error="skip").dataset.skipped] == ["Town_5", "Lake_4"]


def test_prompts_are_linted_before_anything_is_computed(tmp_path):
    class Never(stubs.StubEncoder):
        def encode_texts(self, texts):
            raise AssertionError

    for text, code in (("a {name}", "P102"), ("a field", "P103")):
        prompts = {key: [text] for key in PROMPTS}
        with pytest.raises(UsageError, match=f"{code}.*senbench prompts lint"):
            evaluate(tmp_path, encoder=Never(), prompts=prompts)
    assert not list(tmp_path.iterdir())


def test_what_the_linter_warns_of_is_in_the_result():
    assert not any(
        "a lake" in w or "P205" in w for w in evaluate(prompts={**PROMPTS, "Lake": ["a lake", "x"]}).warnings
    )
    result = evaluate(prompts={**PROMPTS, "Town": ["a town", "a town by a lake"], "Lake": ["a lake", "water"]})
    assert "prompts custom: P205 name of another class: 1 of 6 prompts" in result.warnings
    assert "warnings" not in result.prompts


def test_limit_is_stratified_seeded_and_marked():
    first, again, other = (evaluate(limit=9, seed=s) for s in (1, 1, 2))
    assert [row[i] for i, row in enumerate(first.confusion)] == [3, 3, 3]
    assert first.dataset.index_hash == again.dataset.index_hash != other.dataset.index_hash
    assert not first.complete
    assert first.dataset.limit == 9
    assert first.dataset.subset is True


def test_a_folder_with_fewer_tiles_is_a_subset():
    result = evaluate(tiles=stubs.tiles(n_expected=100))
    assert not result.complete
    assert any("60 of 100" in w for w in result.warnings)


def test_run_id_changes_with_what_determines_scores():
    ids = {
        evaluate().run_id,
        evaluate(ensemble="mean-norm").run_id,
        evaluate(prompts={**PROMPTS, "Lake": ["one lake"]}).run_id,
        evaluate(encoder=stubs.StubEncoder("b")).run_id,
        evaluate(limit=30).run_id,
        evaluate(encoder=_bf16()).run_id,
    }
    assert len(ids) == 6
    assert evaluate().run_id in ids


def _bf16():
    encoder = stubs.StubEncoder()
    encoder.dtype = "bf16"
    return encoder


def test_dtype_recorded_is_the_encoders():
    assert evaluate(encoder=_bf16()).environment.dtype == "bf16"


def test_other_pixels_under_the_same_names_are_another_run(tmp_path):
    plain = stubs.tiles()
    darker = stubs.tiles(reader=lambda i: plain.read(i) // 2, keys=lambda i: (plain.read(i) // 2).tobytes())
    first, second = evaluate(tmp_path, plain), evaluate(tmp_path, darker)
    assert first.dataset.index_hash == second.dataset.index_hash
    assert first.dataset.content_hash != second.dataset.content_hash
    assert len(list(tmp_path.iterdir())) == 2


def test_an_adapter_whose_weights_change_is_never_served_from_the_cache():
    import torch

    adapter = senbench.load_model("mini", device="cpu")
    prompts = {"Field": ["annual crop land"], "Lake": ["sea or lake"], "Town": ["residential buildings"]}
    before = senbench.evaluate(adapter, stubs.tiles(), prompts)
    with torch.no_grad():
        for parameter in adapter.model.visual.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.05)
    after = senbench.evaluate(adapter, stubs.tiles(), prompts)
    assert after.timings.images_encoded == 60
    assert after.metrics["nll"].value != before.metrics["nll"].value
    assert after.model.weights_sha256 is None
    assert after.run_id != before.run_id


def test_options_that_do_not_apply_to_objects():
    with pytest.raises(UsageError, match="dtype does not apply to StubEncoder"):
        evaluate(dtype="bf16")
    with pytest.raises(UsageError, match="split does not apply to Tiles"):
        evaluate(split="test")


def test_a_protocol_on_foreign_ground_says_so():
    result = evaluate(protocol="senclip-release")
    assert result.resolved.overrides == ("dataset", "preprocess")
    assert any("not senclip-release as defined" in w for w in result.warnings)


def test_rules_that_do_not_fit_are_refused_before_anything_is_encoded():
    encoder = stubs.StubEncoder()
    for rule in ("prob-mean", "max"):
        with pytest.raises(UsageError, match=rule):
            evaluate(encoder=encoder, ensemble=rule)
    assert encoder.images == 0


def test_a_logarithm_for_a_scale_is_warned_about():
    class Log(Plain):
        logit_scale = 4.605

    assert any("logarithm" in w for w in evaluate(encoder=Log()).warnings)


def test_transclip_classifies_all_tiles_together():
    alone, together = evaluate(), evaluate(postprocess="transclip")
    assert (alone.access_level, together.access_level) == (0, 2)
    assert "postprocess" in together.resolved.overrides
    assert together.metrics["f1_macro"].interval.startswith("group-jackknife-t (")
    assert any(line.startswith("transclip changes ") for line in together.warnings)
    assert together.metrics["ece"].interval == "none: no probabilities under transclip"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"tiles": runs.multi}, "transclip gives every tile one class, and tiles of"),
        ({"ensemble": "prob-mean"}, "transclip starts from cosines, which prob-mean does not give"),
        ({"ensemble": "dap"}, "transclip starts from cosines, which dap does not give"),
    ],
)
def test_transclip_refuses_before_anything_is_embedded(monkeypatch, options, found):
    monkeypatch.setattr("senbench.evaluation.embed.Embedder.images", None)
    tiles = {"tiles": options.pop("tiles")()} if "tiles" in options else {}
    with pytest.raises(UsageError, match=found):
        evaluate(**tiles, **options, postprocess="transclip")


def test_an_override_of_the_protocol_is_recorded():
    assert evaluate().resolved.overrides == ()
    result = evaluate(protocol="senclip-release", ensemble="mean-norm")
    assert "ensemble" in result.resolved.overrides
    assert result.access_level == 2
    assert result.postprocess == "column-mean"
    assert any("level 2" in w for w in result.warnings)
    assert result.metrics["ece"].value is None


def test_rate_is_null_when_rows_came_from_the_cache():
    cold, warm = evaluate(), evaluate()
    assert cold.timings.images_cached == 0
    assert cold.timings.images_per_second
    assert (warm.timings.images_encoded, warm.timings.images_cached) == (0, 60)
    assert warm.timings.images_per_second is None
    assert warm.metrics == cold.metrics


def test_no_cache_embeds_again():
    evaluate()
    encoder = stubs.StubEncoder()
    evaluate(encoder=encoder, cache=False)
    assert encoder.images == 60


class Plain:
    """What a notebook has: torch in, torch out, nothing of senbench."""

    logit_scale = 100.0

    def encode_images(self, images):
        import torch

        assert images[0].dtype == np.uint8
        return torch.tensor(np.array([i.mean(axis=(0, 1)) for i in images])) * 7

    def encode_texts(self, texts):
        import torch

        return torch.tensor([[float(k.lower() in t) + 0.01 for k in stubs.CLASSES] for t in texts])


def test_a_users_own_object(isolated_home):
    result = evaluate(encoder=Plain())
    assert result.metrics["top1"].value == 1
    assert result.model.id == "Plain"
    assert result.model.weights_sha256 is None
    assert result.metrics["nll"].value is not None
    assert not (isolated_home / "cache").exists()


def test_a_users_object_with_wrong_shapes():
    class Bad(Plain):
        def encode_images(self, images):
            return np.zeros(3)

    with pytest.raises(UsageError, match=r"shape \(3,\) for"):
        evaluate(encoder=Bad())
    with pytest.raises(UsageError, match="no method encode_images"):
        evaluate(encoder=object())


def test_clusters_reach_the_interval_and_the_file(tmp_path):
    result = evaluate(tmp_path, stubs.tiles(locate=lambda where: [f"32U-{i // 6}" for i in where]))
    assert result.metrics["top1"].interval.startswith("cluster")
    table = parquet.read_table(tmp_path / result.run_id / "predictions.parquet").to_pydict()
    assert table["cluster"][:7] == ["32U-0"] * 6 + ["32U-1"]


def test_mean_norm_is_no_silent_synonym(tmp_path):
    """Unit rows would make mean-norm equal norm-mean-norm: the runner must hand over raw rows."""
    scores = []
    for rule in ("norm-mean-norm", "mean-norm"):
        result = evaluate(tmp_path, ensemble=rule)
        table = parquet.read_table(tmp_path / result.run_id / "predictions.parquet").to_pydict()
        scores.append(np.array(table["score_Field"]))
    assert np.abs(scores[0] - scores[1]).max() > 1e-6


def test_unknown_names():
    with pytest.raises(UsageError, match="unknown protocol"):
        evaluate(protocol="standrad")
    with pytest.raises(UsageError, match="unknown model"):
        senbench.evaluate("nonsense", stubs.tiles(), PROMPTS)


def multispectral(**change):
    """A stub that carries a contract: digital numbers of two bands, which the demo has and the JPEGs lack."""
    from senbench.models import registry

    facts = {"id": "two-bands", "bands": ("B8A", "B11"), "unit": "dn", "level": "L2A", "contamination": {}}
    encoder = stubs.StubEncoder("two-bands")
    encoder.card = registry.find("mini").model_copy(update={**facts, **change})
    return encoder


@pytest.mark.parametrize(
    ("dataset", "options", "says"),
    [
        ("eurosat-rgb", {}, r"dataset eurosat-rgb \(8-bit B04, B03, B02\) lacks B8A, B11"),
        ("eurosat", {"radiometry": "dn3000"}, "--radiometry dn3000 renders 8-bit RGB"),
        ("eurosat", {"protocol": "senclip-release"}, "senclip-release normalises 8-bit RGB.*--protocol standard"),
    ],
)
def test_a_pairing_that_cannot_be_is_refused_before_anything_is_fetched(no_sockets, dataset, options, says):
    with pytest.raises(UsageError, match=says):
        senbench.evaluate(multispectral(), dataset, "generic", **options)


def test_every_pair_of_the_grid_is_checked_first(no_sockets, isolated_home):
    from senbench.schema.run_spec import RunSpec

    spec = RunSpec(
        models=("mini", "clip-vit-b-32"),
        prompts=("generic",),
        datasets=("demo", "eurosat"),
        radiometry="native",
        results=str(isolated_home / "results"),
    )
    with pytest.raises(UsageError, match="model mini takes 8-bit B04, B03, B02"):
        run_grid(spec)
    assert not list(isolated_home.iterdir())


def test_digital_numbers_reach_a_model_and_pictures_stay_rgb(tmp_path):
    seen = []

    class Looking(stubs.StubEncoder):
        def prepare(self, tile):
            seen.append((tile.dtype, tile.shape, tile[0, 0].tolist()))
            return tile[..., [0, 1, 1]]  # the stub looks at three channels

    def dn(i, bands):
        return np.broadcast_to(np.array([{"B8A": 9000, "B11": 400 + i}[b] for b in bands], np.uint16), (8, 8, 2))

    encoder = Looking("two-bands")
    encoder.card = multispectral().card
    facts = {"bands": ("B02", "B03", "B04", "B11", "B8A"), "unit": "dn", "level": "L1C", "splits": {"all": 60}}
    tiles = stubs.tiles(info=stubs.info(**facts), bands_reader=dn, radiometry="dn3000")
    result = evaluate(tmp_path, tiles, encoder)
    assert sorted(seen, key=lambda one: one[2])[3] == (np.uint16, (8, 8, 2), [9000, 403])
    assert result.dataset.radiometry == "native"
    assert result.dataset.band_order == "B8A,B11"
    assert (result.dataset.level, result.dataset.model_level) == ("L1C", "L2A")
    assert any("stub are L1C, two-bands was trained on L2A" in w for w in result.warnings)
    plain = evaluate(tmp_path, stubs.tiles())
    assert plain.dataset.level is plain.dataset.model_level is None
    pictures = store.read_thumbnails(tmp_path / result.run_id)
    others = store.read_thumbnails(tmp_path / plain.run_id)
    both = pictures.keys() & others.keys()
    assert both
    assert all(pictures[tile] == others[tile] for tile in both)
    with pytest.raises(UsageError, match="without digital numbers"):
        evaluate(tiles=stubs.tiles(info=stubs.info(**facts)), encoder=encoder)


def test_the_release_passes_blue_green_red_of_bigearthnet_as_red_green_blue(tmp_path, monkeypatch):
    """The pixels that reach a model are the files' own, read by rasterio and stretched as the release does."""
    import rasterio

    from senbench.models import registry

    bigearthnet_files.v1(tmp_path / "data", 6)
    bigearthnet_files.release_draws(monkeypatch, tmp_path / "data", drawn=5, batch=2)

    class Looking(stubs.StubEncoder):
        def __init__(self):
            super().__init__("looking")
            self.card = registry.find("mini")
            self.seen = []

        def encode_prepared(self, batch):
            self.seen += batch
            return super().encode_prepared(batch)

    def run(protocol, **options):
        encoder = Looking()
        result = senbench.evaluate(
            encoder,
            "bigearthnet-v1",
            "generic",
            protocol=protocol,
            data_dir=str(tmp_path / "data"),
            results=str(tmp_path / "results"),
            cache=False,
            **options,
        )
        table = parquet.read_table(tmp_path / "results" / result.run_id / "predictions.parquet").to_pydict()
        return result, dict(zip(table["id"], encoder.seen, strict=True))

    def stretched(patch, bands):
        def band(name):
            with rasterio.open(tmp_path / "data" / "BigEarthNet-v1.0" / patch / f"{patch}_{name}.tif") as file:
                return file.read(1).astype(np.float64)

        image = np.stack([band(name) for name in bands], axis=-1)
        return np.floor((image - image.min()) * 255 / (image.max() - image.min()) + 0.5).astype(np.uint8)

    result, seen = run("senclip-release")
    assert (result.dataset.n_evaluated, result.dataset.band_order) == (4, "B02,B03,B04")
    assert len(seen) == 4
    for patch, tile in seen.items():
        np.testing.assert_array_equal(tile, stretched(patch, ("B02", "B03", "B04")))
    result, seen = run("standard", radiometry="minmax-per-image")
    assert result.dataset.band_order == "rgb"
    assert len(seen) == 6
    for patch, tile in seen.items():
        np.testing.assert_array_equal(tile, stretched(patch, ("B04", "B03", "B02")))


def multilabel(**change):
    """The stub tiles with two labels a tile, every seventh without any, in six clusters."""
    plain = stubs.tiles(60)
    labels = np.zeros((60, 3), bool)
    labels[np.arange(60), plain.labels] = True
    labels[::7] = False
    labels[1::5, 0] = True
    return stubs.changed(
        plain,
        info=stubs.info(task="multi-label", splits={"all": 60}),
        labels=labels,
        locate=lambda indices: [f"tile{i % 6}" for i in indices],
        meta={"country": tuple(("Austria", "Serbia")[i % 2] for i in range(60))},
        **change,
    )


def test_a_multi_label_dataset_through_the_same_flow(tmp_path):
    from sklearn.metrics import average_precision_score

    tiles = multilabel()
    result = evaluate(tmp_path, tiles)
    table = parquet.read_table(tmp_path / result.run_id / "predictions.parquet").to_pylist()
    scores = np.array([[row[f"score_{key}"] for key in stubs.CLASSES] for row in table])
    truth = np.array([[key in row["labels"] for key in stubs.CLASSES] for row in table])
    np.testing.assert_array_equal(truth, tiles.labels)
    assert result.headline == "map_macro"
    assert result.metrics["map_macro"].value == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
    assert result.n_unlabelled == int((~truth.any(axis=1)).sum()) > 0
    assert (result.per_class, result.confusion) == ((), ())
    assert [entry.key for entry in result.per_label] == list(stubs.CLASSES)
    assert result.clustering.clusters == 6
    assert len(result.replicates["map_macro"]) == 6
    assert {g.group for g in result.groups} == {"Austria", "Serbia", "inside LUCAS 2018", "outside LUCAS 2018"}
    assert store.load(tmp_path / result.run_id) == result


def test_thresholds_need_a_named_dataset():
    with pytest.raises(UsageError, match="--tune val: thresholds are tuned for named multi-label datasets only"):
        evaluate(tiles=multilabel(), tune="val")


def test_labels_of_v1_are_for_v2_only():
    with pytest.raises(UsageError, match="--labels v1 is for bigearthnet-v2"):
        evaluate(tiles=multilabel(), labels="v1")


def test_a_run_says_how_many_tiles_were_kept_from_before(tmp_path):
    from typer.testing import CliRunner

    from senbench.cli.main import application

    said = []
    for limit, name in (("10", "one"), (None, "two"), (None, "three")):
        words = ["run", "--model", "mini", "--prompts", "clip", "--dataset", "demo", "--results", str(tmp_path / name)]
        done = CliRunner().invoke(application(), [*words, *(["--limit", limit] if limit else [])])
        assert done.exit_code == 0, done.exception
        (result,) = store.load_all(tmp_path / name)
        told = [line.rpartition(": ")[2] for line in done.stderr.splitlines() if "kept from before" in line]
        said.append((result.timings.images_cached, told))
    assert said == [(0, []), (10, ["10 of them were kept from before"]), (400, [])]


def test_a_broken_tile_does_not_load_the_model_for_what_is_kept(tmp_path):
    from PIL import Image
    from typer.testing import CliRunner

    from senbench.cli.main import application

    for i in range(8):
        place = tmp_path / "tiles" / ("Forest" if i < 4 else "River")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (30 * i, 90, 60)).save(place / f"{i}.jpg", quality=95)
    (tmp_path / "tiles" / "River" / "7.jpg").write_bytes((tmp_path / "tiles" / "River" / "7.jpg").read_bytes()[:200])
    said = []
    for name in ("one", "two"):
        words = ["run", "--model", "mini", "--prompts", "clip", "--dataset", f"folder:{tmp_path / 'tiles'}"]
        done = CliRunner().invoke(application(), [*words, "--on-error", "skip", "--results", str(tmp_path / name)])
        assert done.exit_code == 0, done.exception
        (result,) = store.load_all(tmp_path / name)
        assert result.dataset.n_evaluated == 7
        said.append("loading mini" in done.stderr)
    assert said == [True, False]


class Told(Team):
    """A process of two, and what the first one says."""

    def __init__(self, rank, said):
        super().__init__(rank, 2)
        self.said, self.heard = said, []

    def from_first(self, value):
        self.heard.append(value)
        return self.said if self.rank else value


@pytest.mark.parametrize("decision", ["torch", "onednn"])
def test_the_first_process_decides_with_which_kernels_all_multiply(monkeypatch, decision):

    if not onednn.available():
        pytest.skip("torch was built without oneDNN")
    other = "torch" if decision == "onednn" else "onednn"
    spec = RunSpec(models=("mini",), prompts=("clip",), device="cpu", offline=True)

    def encoder(team, own):
        monkeypatch.setattr(kernels, "known", lambda c: c.kernels if c.kernels != "auto" else own)
        return _Job(spec, protocols.find("standard"), Silent(), team, None).encoder(registry.find("mini"), [])

    first = Told(0, None)
    assert encoder(first, decision).kernels == decision
    assert first.heard == [decision]
    assert encoder(Told(1, decision), other).kernels == decision  # whatever is faster there


def test_exact_and_onednn_contradict_each_other(tmp_path):
    spec = RunSpec(models=("mini",), prompts=("clip",), datasets=("demo",), exact=True, kernels="onednn", results=None)
    with pytest.raises(UsageError, match="--exact multiplies with torch's kernels; leave one of them out"):
        run_grid(spec)


def test_a_card_that_does_not_state_the_language_of_prompts_is_told_in_one_line():
    info = dataset_info("eurosat")
    packs = [load_prompts(style, info, load_vocabulary("eurosat")) for style in ("clip", "names-de", "names-de")]
    cards = [registry.find(name) for name in ("clip-vit-b-32", "rs-m-clip", "siglip2-vit-b-16")]
    [told] = _unread(cards, packs)
    assert told.startswith("clip-vit-b-32: prompts names-de are in German, and the card states en as")
    assert "\n" not in told

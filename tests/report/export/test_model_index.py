"""The model index of a Hugging Face card: read back by the hub's own library as it was meant."""

from __future__ import annotations

import pytest
import runs
import yaml
from runs import folders

from senbench.report.export import formats
from senbench.results import store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_model_index_round_trip(three):
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    text = formats.FORMATS["model-index"](*folders(three))
    documents = [d for d in yaml.safe_load_all(text) if d]
    assert [d["model-index"][0]["name"] for d in documents] == ["best", "far", "near"]
    for r, document in zip(store.load_all(three), documents, strict=True):
        name, entries = model_index_to_eval_results(document["model-index"])
        assert eval_results_to_model_index(name, entries) == document["model-index"]
        by_name = {e.metric_name: e for e in entries}
        assert by_name["top1"].metric_value == r.metrics["top1"].value
        assert by_name["top1"].metric_type == "accuracy"
        assert by_name["top1"].dataset_revision == r.dataset.index_hash
        assert by_name["top1"].dataset_split == r.dataset.split
        assert by_name["top1"].dataset_config.endswith(f"level {r.access_level}")
        card = ModelCard(f"---\n{yaml.safe_dump(document)}---\n# a model\n")
        assert card.data.eval_results == entries


def test_two_prompt_sets_on_one_split_stay_apart(tmp_path):
    for words in ("a", "the"):
        runs.run(tmp_path, "m", prompts={k: [f"{words} {k.lower()}"] for k in runs.stubs.CLASSES})
    (document,) = (d for d in yaml.safe_load_all(formats.FORMATS["model-index"](*folders(tmp_path))) if d)
    assert len(document["model-index"][0]["results"]) == 2

from __future__ import annotations

import runs


def test_a_result_in_a_notebook_is_short_and_escaped(tmp_path):
    result = runs.run(tmp_path, "good", 0.1, runs.located(60))
    value, (low, high) = result.metrics["top1"].value, result.metrics["top1"].ci
    figure = f"top1 {100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    assert repr(result) == f"RunResult(good, {result.prompts.id}, {result.dataset.id} all: {figure}, 60 tiles)"
    assert str(result) == repr(result)
    hostile = result.model_copy(update={"model": result.model.model_copy(update={"title": "<script>x</script>"})})
    page = hostile._repr_html_()
    assert "&lt;script&gt;x" in page and "<script" not in page and f"<td>{figure[5:]}</td>" in page
    nll = result.metrics["nll"]
    assert f"<th>nll</th><td>{nll.value:.3f} [" in page

"""What is known of a map reads back as it was written."""

from __future__ import annotations

from senbench.results.store import as_json
from senbench.schema.map_facts import Figure95, MapTruth, TruthClass


def test_a_comparison_reads_back():
    figure = Figure95(value=0.5, ci=(0.4, 0.6), interval="cluster-jackknife-t (9 clusters by 5 km)")
    one = TruthClass(
        key="Forest",
        truth=3,
        mapped=4,
        recall=figure,
        precision=Figure95(value=None),
        f1=figure,
        share_truth=figure,
        share_mapped=figure,
    )
    whole = MapTruth(
        source="lc.tif",
        cells=5,
        unknown=1,
        blocks=9,
        agreement=figure,
        balanced=figure,
        f1_macro=figure,
        purity=0.9,
        classes=(one,),
        confusion=((3,),),
    )
    assert MapTruth.model_validate_json(as_json(whole)) == whole

from __future__ import annotations

import json

from outcomes import refused


def test_draft_and_adopt(senbench, tmp_path):
    out = tmp_path / "request.md"
    assert senbench("prompts", "draft", "--classes", "pond, orchard", "--cues", 3, "--out", out).code == 0
    asked = json.loads(out.read_text().split("```json\n")[1].split("```")[0])
    assert senbench("prompts", "draft", "--classes", "pond,orchard", "--cues", 3).out == out.read_text()
    asked["written_by"] = "somebody"
    asked["classes"] = {
        key: {style: [f"thing {style[0]}{key[0]}{i}" for i in range(3)] for style in ("ground", "aerial")}
        for key in asked["classes"]
    }
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(asked))
    done = senbench("prompts", "adopt", answer, "--out", tmp_path / "mine.yaml")
    assert done.code == 0 and "12 cues by somebody" in done.err and "--prompts ground,aerial" in done.err
    shown = senbench("prompts", "show", "ground", "--class-names", tmp_path / "mine.yaml", "--dataset", "eurosat")
    refused(shown, 2, "unknown class 'pond'")
    asked["classes"]["pond"]["ground"][0] = "an orchard"
    answer.write_text(json.dumps(asked))
    done = senbench("prompts", "adopt", answer, "--out", tmp_path / "other.yaml")
    assert done.code == 2 and "names the class 'orchard'" in done.out and not (tmp_path / "other.yaml").exists()
    refused(senbench("prompts", "adopt", tmp_path / "no.json"), 2, "no.json")
    refused(senbench("prompts", "adopt", answer, "--out", tmp_path / "x.txt"), 2, "a vocabulary ends in .yaml")

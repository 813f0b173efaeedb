"""CLIP's byte pairs: marks, cut and padding, and texts mended as CLIP's own tokenizer mends them."""

from __future__ import annotations

import gzip

import ftfy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.models.clip import bpe

BEGIN, FINISH = 49406, 49407


def test_a_row_is_begin_text_end_zeros():
    rows = bpe.tokens(["a river", ""], None, 6)
    assert rows.dtype == np.int64
    assert rows.tolist() == [[BEGIN, 320, 2473, FINISH, 0, 0], [BEGIN, FINISH, 0, 0, 0, 0]]


@pytest.mark.parametrize("n", [0, 1, 74, 75, 76, 200])
def test_a_longer_text_loses_its_end_but_not_the_mark_of_it(n):
    (row,) = bpe.tokens(["x " * n], None, bpe.CONTEXT)
    assert bpe.counts(["x " * n], None) == [n + 2]
    assert (row == FINISH).sum() == 1
    assert row.argmax() == min(n + 1, bpe.CONTEXT - 1)


@given(st.text(max_size=40))
def test_cleaning_is_clips(text):
    import html

    wanted = " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()
    assert bpe.clean(text) == wanted


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=30), max_size=4))
def test_counts_are_of_each_text_alone(texts):
    assert bpe.counts(texts, None) == [bpe.counts([text], None)[0] for text in texts]
    rows = bpe.tokens(texts, None, 200)
    assert [row.tolist().index(FINISH) + 1 for row in rows] == bpe.counts(texts, None)


def test_an_own_vocabulary_of_few_merges(tmp_path):
    path = tmp_path / "few.txt.gz"
    path.write_bytes(gzip.compress(b"#version: 0.2\na b\nab c</w>"))
    made = bpe.encoder(path)
    assert made.get_vocab_size() == 2 * 256 + 2 + len(bpe.MARKS)
    (row,) = bpe.tokens(["abc b"], path, 6)
    begin, end = 514, 515
    assert row.tolist() == [begin, 513, made.token_to_id("b</w>"), end, 0, 0]


def test_more_merges_than_clip_reads_are_left_out(tmp_path, monkeypatch):
    path = tmp_path / "more.txt.gz"
    path.write_bytes(gzip.compress(b"#\na b\na c\na d"))
    monkeypatch.setattr(bpe, "MERGES", 2)
    assert bpe.encoder(path).get_vocab_size() == 512 + 2 + len(bpe.MARKS)


def test_clips_vocabulary_is_found_in_open_clips_package():
    assert bpe.clip_vocabulary().is_file()
    assert bpe.encoder(bpe.clip_vocabulary()).get_vocab_size() == 49408

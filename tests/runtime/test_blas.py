"""numpy's products in one thread, and in as many as before afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from senbench.runtime import blas


def threads() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_products_use_one_thread_inside_and_the_others_again_outside():
    blas._libraries.cache_clear()  # another test may have looked before scipy brought its own BLAS
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        assert set(threads()) == {2}
        with blas.one_thread():
            assert set(threads()) == {1}
        assert set(threads()) == {2}


def test_an_error_inside_gives_the_threads_back():
    blas._libraries.cache_clear()  # another test may have looked before scipy brought its own BLAS
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with pytest.raises(ZeroDivisionError), blas.one_thread():
            raise ZeroDivisionError
        assert set(threads()) == {2}


def test_only_blas_is_limited():
    import torch

    before = torch.get_num_threads()
    with blas.one_thread():
        assert torch.get_num_threads() == before

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import astropy.units as u
import pytest

from galmorph.scale.resources import (
    MEMORY_OF_MAIN,
    MEMORY_OF_WORKER,
    bytes_of,
    choose_workers,
)


def test_few_galaxies_and_images_in_memory_need_no_processes():
    assert choose_workers(None, None, 10, False) == 0
    assert choose_workers(None, None, 10**6, True) == 0
    assert choose_workers(None, None, 10**6, False) >= 1
    assert choose_workers(3, None, 10, True) == 3


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_limit_of_memory_is_kept(n):
    limit = MEMORY_OF_MAIN + n * MEMORY_OF_WORKER
    assert choose_workers(8, limit, 10**6, False) == n
    assert choose_workers(8, limit - 1 + MEMORY_OF_WORKER, 10**6, False) == n
    assert choose_workers(0, limit, 10**6, False) == 0


def test_memory_is_given_in_bytes_as_text_or_with_a_unit():
    assert bytes_of(4096) == 4096
    assert bytes_of("2 GiB") == bytes_of(2 * u.Gibyte) == 2**31
    assert bytes_of("500 MB") == 5e8

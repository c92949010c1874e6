# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Quality bits have one definition, and can be decoded.
"""

import numpy as np
import pytest
from astropy.table import MaskedColumn

from galmorph.core import FLAGS, MorphFlag, decode_flags


def test_every_bit_is_defined_once_and_described():
    assert [flag.value for flag in FLAGS] == [2**bit for bit in range(len(FLAGS))]
    assert len({flag.name for flag in FLAGS}) == len(FLAGS)
    for flag in FLAGS:
        assert flag.name == flag.name.lower()
        assert flag.description.endswith(".")


def test_values_are_those_of_written_catalogues():
    # a bit that changes its value changes the meaning of tables on disk
    assert {flag.name: flag.value for flag in FLAGS} == {
        "bad_position": 1,
        "outside_image": 2,
        "no_data": 4,
        "failed": 8,
        "partial_stamp": 16,
        "masked_pixels": 32,
        "no_source": 64,
        "recenter_limit": 128,
        "petrosian_limit": 256,
        "low_snr": 512,
        "unresolved": 1024,
        "neighbour": 2048,
        "out_of_domain": 4096,
    }


def test_enumeration_has_the_defined_names_and_values():
    assert {f.name.lower(): f.value for f in MorphFlag} == {
        flag.name: flag.value for flag in FLAGS
    }


@pytest.mark.parametrize("flag", FLAGS, ids=lambda f: f.name)
def test_single_bit_is_decoded_to_its_name(flag):
    assert decode_flags(flag.value) == [flag.name]
    assert decode_flags(MorphFlag[flag.name.upper()]) == [flag.name]


def test_all_bits_together_are_decoded_lowest_first():
    everything = sum(flag.value for flag in FLAGS)
    assert decode_flags(everything) == [flag.name for flag in FLAGS]


def test_array_gives_one_list_for_each_value():
    flags = np.array([0, 3, 512], dtype=">i4")
    expected = [[], ["bad_position", "outside_image"], ["low_snr"]]
    assert decode_flags(flags) == expected
    assert decode_flags(np.array([], dtype=int)) == []


def test_masked_values_have_no_names():
    column = MaskedColumn([1, 2], mask=[True, False])
    assert decode_flags(column) == [[], ["outside_image"]]


@pytest.mark.parametrize("wrong", [-1, 8192, [1, 1 << 20]])
def test_undefined_bits_are_refused(wrong):
    with pytest.raises(ValueError, match="outside of 0..8191"):
        decode_flags(wrong)


def test_fractions_are_no_flags():
    with pytest.raises(ValueError, match="expected integers, found float64"):
        decode_flags([0.5])

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.table import Table

from galmorph import LabelScheme
from galmorph.core import ConfigurationError, MorphFlag
from galmorph.training import as_dataset, stratified_split

TWO = LabelScheme("two", outputs=["f_a", "f_b"])
SHARES = [0.8, 0.1, 0.1]


def labels_of(n=2000, seed=1):
    return np.random.default_rng(seed).dirichlet([2, 1, 0.3], n)


def test_parts_have_their_shares_and_every_object_once():
    parts = stratified_split(labels_of(), SHARES, seed=1)
    assert sorted(np.concatenate(parts)) == list(range(2000))
    assert [len(part) for part in parts] == pytest.approx([1600, 200, 200], abs=6)


def test_proportions_of_classes_are_equal_between_parts():
    labels = labels_of()
    whole = np.bincount(labels.argmax(axis=1)) / len(labels)
    for part in stratified_split(labels, SHARES, seed=1):
        found = np.bincount(labels[part].argmax(axis=1)) / len(part)
        assert found == pytest.approx(whole, abs=0.01)


def test_a_group_is_never_on_two_sides():
    groups = np.random.default_rng(2).integers(0, 500, 2000)
    parts = stratified_split(labels_of(), SHARES, seed=1, groups=groups)
    sides = [set(groups[part]) for part in parts]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert sorted(np.concatenate(parts)) == list(range(2000))


def test_the_split_depends_on_the_seed_alone():
    first = stratified_split(labels_of(), SHARES, seed=1)
    again = stratified_split(labels_of(), SHARES, seed=1)
    other = stratified_split(labels_of(), SHARES, seed=2)
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[2], other[2])


def test_missing_labels_do_not_break_the_split():
    labels = labels_of(100)
    labels[::3, 1] = np.nan
    parts = stratified_split(labels, SHARES, seed=1)
    assert sum(map(len, parts)) == 100


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ConfigurationError, match="shares"):
        stratified_split(labels_of(), [0.5, 0.2], seed=1)


def table_of(n, **more):
    return Table({"f_a": np.linspace(0, 1, n), "f_b": np.full(n, 0.5), **more})


def test_two_dimensional_stamps_get_a_band_axis():
    dataset = as_dataset((np.zeros((4, 9, 9)), table_of(4)), TWO)
    assert dataset.stamps.shape == (4, 9, 9, 1)
    assert dataset.labels.shape == (4, 2)


def test_objects_without_label_or_not_classifiable_are_left_out():
    table = table_of(4, morph_flags=[0, int(MorphFlag.NO_DATA), 512, 0])
    table["f_a"][3] = table["f_b"][3] = np.nan
    stamps = np.arange(4.0)[:, None, None] * np.ones((9, 9))
    dataset = as_dataset((stamps, table), TWO)
    assert list(dataset.stamps[:, 0, 0, 0]) == [0, 2]


def test_groups_come_from_a_column():
    table = table_of(4, galaxy=["x", "x", "y", "z"])
    dataset = as_dataset((np.zeros((4, 9, 9)), table), TWO, groups="galaxy")
    assert list(dataset.groups) == ["x", "x", "y", "z"]
    with pytest.raises(ConfigurationError, match="'star'"):
        as_dataset((np.zeros((4, 9, 9)), table), TWO, groups="star")


@pytest.mark.parametrize("shape", [(4, 9), (4, 9, 8, 1)])
def test_stamps_of_another_shape_are_refused(shape):
    with pytest.raises(ConfigurationError, match="expected stamps"):
        as_dataset((np.zeros(shape), table_of(4)), TWO)


def test_a_table_of_another_length_is_refused():
    with pytest.raises(ConfigurationError, match="4 stamps and a table of 3"):
        as_dataset((np.zeros((4, 9, 9)), table_of(3)), TWO)


def test_labels_beyond_one_are_refused():
    table = table_of(4)
    table["f_a"][2] = 1.5
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        as_dataset((np.zeros((4, 9, 9)), table), TWO)


def test_fingerprint_changes_with_one_pixel_or_label():
    def fingerprint(pixel=0.0, label=0.0):
        stamps, table = np.zeros((4, 9, 9)), table_of(4)
        stamps[2, 3, 4], table["f_b"][1] = pixel, label
        return as_dataset((stamps, table), TWO).fingerprint()

    assert fingerprint() == fingerprint()
    assert len({fingerprint(), fingerprint(pixel=1e-3), fingerprint(label=0.1)}) == 3

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.table import Table

from galmorph import LabelScheme
from galmorph.core import ConfigurationError, MorphFlag
from galmorph.training import as_dataset, folds, stratified_split

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


def candels_like(n=5000, seed=3):
    """Fractions of few votes, with rare classes, as in CANDELS."""
    random = np.random.default_rng(seed)
    means = random.dirichlet([1.0, 1.5, 0.4, 0.1, 0.05], n)
    return random.binomial(4, means) / 4


@pytest.mark.parametrize("size", [1, 2, 20])
def test_the_parts_of_5000_galaxies_have_the_same_means(size):
    labels = candels_like()
    groups = np.random.default_rng(4).permutation(5000) // size
    for part in stratified_split(labels, SHARES, seed=1, groups=groups):
        difference = labels[part].mean(axis=0) - labels.mean(axis=0)
        assert abs(difference).max() < 0.01


def test_fields_of_any_size_stay_whole_in_parts_of_the_right_size():
    random = np.random.default_rng(5)
    labels = candels_like()
    edges = np.sort(random.uniform(size=59))
    fields = np.searchsorted(edges, random.uniform(size=5000))
    parts = stratified_split(labels, SHARES, seed=1, groups=fields)
    sides = [set(fields[part]) for part in parts]
    assert sum(map(len, sides)) == len(set(fields))
    for part, share in zip(parts, SHARES, strict=True):
        assert len(part) / 5000 == pytest.approx(share, abs=0.02)
        difference = labels[part].mean(axis=0) - labels.mean(axis=0)
        assert abs(difference).max() < 0.02


def test_folds_are_of_one_size_and_mixture():
    labels = candels_like()
    groups = np.arange(5000) // 2
    fold = folds(labels, 5, seed=1, groups=groups)
    assert (fold[::2] == fold[1::2]).all()
    assert np.bincount(fold) == pytest.approx([1000] * 5, abs=4)
    means = [labels[fold == i].mean(axis=0) for i in range(5)]
    assert np.ptp(means, axis=0).max() < 0.01
    with pytest.raises(ConfigurationError, match="n_folds: found 1"):
        folds(labels, 1, seed=1)


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


def test_a_galaxy_of_unknown_group_is_alone():
    groups = np.ma.masked_array([7, 7, 1, 1], [False, False, True, True])
    data = (np.zeros((4, 9, 9)), table_of(4))
    assert len(set(as_dataset(data, TWO, groups=groups).groups)) == 3
    missing = [7.0, 7.0, np.nan, np.nan]
    assert len(set(as_dataset(data, TWO, groups=missing).groups)) == 3


def test_votes_are_one_where_they_are_not_known():
    table = table_of(3)
    table["n"] = np.ma.masked_array([3, 40, 9], [False, False, True])
    data = (np.zeros((3, 9, 9)), table)
    assert list(as_dataset(data, TWO, votes="n").votes) == [3, 40, 1]
    each = as_dataset(data, TWO, votes=[[3, np.nan], [0, 2], [5, 5]]).votes
    assert each.tolist() == [[3, 1], [0, 2], [5, 5]]


@pytest.mark.parametrize(
    "votes, words",
    [([1, 2, -3], "0 or more"), (np.ones((3, 3)), r"\(3, 3\)"), (list("abc"), "votes")],
)
def test_votes_that_cannot_be_are_refused(votes, words):
    with pytest.raises(ConfigurationError, match=words):
        as_dataset((np.zeros((3, 9, 9)), table_of(3)), TWO, votes=votes)


def test_what_is_left_keeps_its_row_group_and_votes():
    table = table_of(4, count=[1, 2, 3, 4], field=list("aabb"))
    table["f_a"][1] = table["f_b"][1] = np.nan
    dataset = as_dataset(
        (np.zeros((4, 9, 9)), table), TWO, votes="count", groups="field"
    )
    dataset = dataset.take([1, 2])
    assert list(dataset.rows) == [2, 3]
    assert list(dataset.votes) == [3, 4]
    assert list(dataset.groups) == ["b", "b"]


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


def test_fingerprint_covers_votes_and_what_belongs_together():
    data = (np.zeros((4, 9, 9)), table_of(4))

    def fingerprint(**more):
        return as_dataset(data, TWO, **more).fingerprint()

    prints = {
        fingerprint(),
        fingerprint(votes=[1, 2, 3, 4]),
        fingerprint(votes=[1, 2, 3, 5]),
        fingerprint(groups=[1, 1, 2, 2]),
        fingerprint(groups=[1, 2, 2, 2]),
    }
    assert len(prints) == 5
    assert fingerprint(groups=["x", "x", "y", "y"]) == fingerprint(groups=[1, 1, 2, 2])

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated galaxies: each the same whoever makes it, and described in full.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u

from galmorph.core import CANDELS, ConfigurationError, MissingDependencyError
from galmorph.images import Preprocessor, cutout_from_image
from galmorph.simulation import Instrument, simulate_galaxies, simulate_stamps
from galmorph.simulation.population import EARLY, KINDS, draw_galaxy

SEED = 20


@pytest.fixture(scope="module")
def galaxies():
    return simulate_galaxies(66, seed=SEED)


def test_galaxy_is_the_same_wherever_a_run_starts(galaxies):
    later = simulate_galaxies(3, seed=SEED, first=10)
    assert list(later.table["index"]) == [10, 11, 12]
    for i in range(3):
        assert np.array_equal(later.cutouts[i].data, galaxies.cutouts[10 + i].data)
        assert later.table["f_disk"][i] == galaxies.table["f_disk"][10 + i]


def test_galaxies_do_not_depend_on_the_number_of_processes(galaxies):
    shared = simulate_galaxies(66, seed=SEED, n_workers=2)
    assert shared.table.colnames == galaxies.table.colnames
    for name in shared.table.colnames:
        found, expected = (np.asarray(t[name]) for t in (shared.table, galaxies.table))
        if found.dtype.kind == "f":
            # processes use one thread each, and old BLAS sums in another order then
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)
        else:
            assert (found == expected).all()
    for image, expected in zip(shared.cutouts, galaxies.cutouts, strict=True):
        assert image.data == pytest.approx(expected.data, rel=1e-5, abs=1e-6)


def test_seeds_give_different_galaxies(galaxies):
    other = simulate_galaxies(1, seed=SEED + 1)
    assert other.table["magnitude"][0] != galaxies.table["magnitude"][0]


def test_cutouts_are_images_of_the_survey(galaxies):
    for image, row in zip(galaxies.cutouts, galaxies.table, strict=True):
        ny, nx = image.data.shape
        assert ny == nx and 64 <= ny <= 256
        assert image.data.dtype == np.float32
        assert image.unit == u.electron / u.s
        assert image.meta["pixel_scale"].to_value(u.arcsec / u.pix) == 0.06
        if row["kind"] not in ("star", "unclassifiable"):
            assert ny * 0.06 >= min(8 * row["half_light_radius"].value, 15.3)


def test_table_describes_every_column(galaxies):
    table = galaxies.table
    assert set(CANDELS.outputs) < set(table.colnames)
    assert all(table[name].info.description for name in table.colnames)
    assert table["magnitude"].unit == u.mag
    assert table["half_light_radius"].unit == u.arcsec
    labels = CANDELS.labels(table)
    assert np.all((labels >= 0) & (labels <= 1))
    assert set(table["depth"]) == {"wide", "deep", "hudf"}


def test_galaxy_has_the_flux_of_its_magnitude(galaxies):
    table = galaxies.table
    plain = (table["kind"] == "spheroid") & (table["magnitude"].value < 23)
    assert plain.sum() >= 1
    for i in np.nonzero(plain)[0]:
        data = galaxies.cutouts[i].data.astype(float)
        side = len(data)
        rows, columns = np.indices(data.shape) - (side - 1) / 2
        near = np.hypot(rows, columns) < side / 4
        expected = 10 ** (-0.4 * (table["magnitude"][i].value - 25.946))
        # neighbours may lie within, some light without
        assert 0.7 < data[near].sum() / expected < 2


def test_drawn_votes_are_of_so_many_classifiers(galaxies):
    drawn = simulate_galaxies(20, seed=SEED, n_votes=5)
    votes = CANDELS.labels(drawn.table) * 5
    assert np.allclose(votes, votes.round(), atol=1e-5)
    assert np.array_equal(drawn.cutouts[3].data, galaxies.cutouts[3].data)
    expected = CANDELS.labels(galaxies.table[:20])
    assert np.corrcoef(votes.ravel(), expected.ravel())[0, 1] > 0.7


def test_stamps_are_the_preprocessed_cutouts(galaxies):
    preprocessor = Preprocessor()
    done = []
    stamps, table = simulate_stamps(
        5, seed=SEED, preprocessor=preprocessor, n_workers=1, progress=done.append
    )
    by_hand = preprocessor([cutout_from_image(c) for c in galaxies.cutouts[:5]])
    assert np.array_equal(stamps, by_hand.data)
    assert np.array_equal(table["morph_flags"], by_hand.flags)
    assert (table["f_spheroid"] == galaxies.table["f_spheroid"][:5]).all()
    assert done[-1] == 5


def test_stamps_do_not_depend_on_the_number_of_processes_nor_on_their_company():
    preprocessor = Preprocessor().with_margin(64)
    stamps, table = simulate_stamps(
        66, seed=3, first=7, preprocessor=preprocessor, n_workers=2
    )
    assert stamps.shape == (66, 64, 64, 1)
    assert list(table["index"]) == list(range(7, 73))
    few, _ = simulate_stamps(
        4, seed=3, first=69, preprocessor=preprocessor, n_workers=1
    )
    # up to the order in which old BLAS sums with other numbers of threads
    assert few == pytest.approx(stamps[62:], abs=1e-5)


def test_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    simulate_galaxies(65, seed=SEED, n_workers=2)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "MKL_NUM_THREADS" not in os.environ


def test_no_galaxies_make_an_empty_table():
    stamps, table = simulate_stamps(0, seed=1, preprocessor=Preprocessor())
    assert stamps.shape == (0, 45, 45, 1)
    assert len(table) == 0 and set(CANDELS.outputs) < set(table.colnames)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_within_its_ranges(kind):
    random = np.random.default_rng(1)
    for _ in range(50):
        truth = draw_galaxy(random, kind)
        assert truth["kind"] == kind
        assert 15 <= truth["magnitude"] <= 26.5
        assert 0 <= truth["bulge_to_total"] <= 1
        assert 0 < truth["axis_ratio"] <= 1
        assert truth["half_light_radius"] <= 6.0


def test_faint_galaxies_are_more_and_smaller():
    random = np.random.default_rng(2)
    truths = [draw_galaxy(random, "disk") for _ in range(2000)]
    magnitudes = np.array([truth["magnitude"] for truth in truths])
    radii = np.array([truth["half_light_radius"] for truth in truths])
    assert np.sum(magnitudes > 24) > 1.5 * np.sum((magnitudes > 23) & (magnitudes < 24))
    assert np.median(radii[magnitudes < 22]) > 1.3 * np.median(radii[magnitudes > 24])


def test_early_types_are_more_where_galaxies_are_bright_and_compact():
    random = np.random.default_rng(4)
    truths = [draw_galaxy(random) for _ in range(20_000)]
    galaxies = [t for t in truths if t["kind"] not in ("star", "unclassifiable")]
    early = np.array([t["kind"] in EARLY for t in galaxies])
    magnitude = np.array([t["magnitude"] for t in galaxies])
    radius = np.array([t["half_light_radius"] for t in galaxies])
    assert 0.13 < early.mean() < 0.19
    bright, faint = magnitude < 21, magnitude > 24
    assert early[bright].mean() > 0.3 > 0.12 > early[faint].mean()
    assert early[(magnitude < 22) & (radius < 0.2)].mean() > 0.8


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n": -1}, "n:"),
        ({"n": 1, "n_votes": 0}, "n_votes:"),
        ({"n": 1, "instrument": "HST"}, "instrument:"),
    ],
)
def test_wrong_argument_is_named(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        simulate_galaxies(seed=1, **arguments)


def test_missing_galsim_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "galsim", None)
    with pytest.raises(MissingDependencyError, match=r"astro-galmorph\[sim\]"):
        simulate_galaxies(1, seed=1, instrument=unused_instrument())


def unused_instrument():
    """An instrument whose PSF no other test has left in the cache."""
    from dataclasses import asdict

    from galmorph.simulation import WFC3_F160W

    return Instrument(**(asdict(WFC3_F160W) | {"name": "other"}))


def test_importing_the_room_imports_neither_galsim_nor_tensorflow():
    code = (
        "import sys, galmorph.simulation; "
        "print([m for m in ('galsim', 'tensorflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

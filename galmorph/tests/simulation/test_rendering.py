# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images of objects: as GalSim draws them, at the right place, with their structure.
"""

import galsim
import numpy as np
import pytest

from galmorph.simulation import WFC3_F160W
from galmorph.simulation.defects import DEFECTS, add_blend, add_defect
from galmorph.simulation.population import THICKNESS, draw_galaxy
from galmorph.simulation.rendering import add_object, render

SIDE, X, Y = 128, 63.3, 64.6
SCALE = WFC3_F160W.pixel_scale


def smooth(n, radius, axis_ratio, kind="disk"):
    """A galaxy of one electron per second without structure."""
    truth = draw_galaxy(np.random.default_rng(1), kind)
    truth.update(
        magnitude=WFC3_F160W.zero_point,
        half_light_radius=radius,
        axis_ratio=axis_ratio,
        position_angle=30.0,
        sersic_n=n,
        bulge_to_total=0.0 if n == 1 else 1.0,
        spiral=0.0,
        ring=0.0,
        bar=0.0,
        clumpiness=0.0,
        lopsidedness=0.0,
        dust=0.0,
        companion=0.0,
        third=0.0,
        tail=0.0,
    )
    return truth


def drawn(truth, x=X, y=Y, side=SIDE):
    return render(truth, WFC3_F160W, side, x, y, np.random.default_rng(2))


def drawn_by_galsim(n, radius, axis_ratio):
    if n == 1:
        cosine = np.sqrt((axis_ratio**2 - THICKNESS**2) / (1 - THICKNESS**2))
        # a disk whose second moments have the ratio THICKNESS from the edge
        profile = galsim.InclinedExponential(
            np.arccos(cosine) * galsim.radians,
            half_light_radius=radius,
            scale_h_over_r=THICKNESS * 6 / np.pi,
        ).rotate(30 * galsim.degrees)
    else:
        radius = radius * np.sqrt(axis_ratio)
        profile = galsim.Sersic(n=n, half_light_radius=radius, trunc=8 * radius)
        profile = profile.shear(q=axis_ratio, beta=30 * galsim.degrees)
    middle = (SIDE - 1) / 2
    return (
        galsim.Convolve(profile, WFC3_F160W.psf())
        .drawImage(
            nx=SIDE,
            ny=SIDE,
            scale=SCALE,
            offset=(X - middle, Y - middle),
            method="no_pixel",
        )
        .array
    )


GALAXIES = [
    (1, 0.5, 0.5),
    (1, 0.05, 0.3),
    (1, 0.8, 0.2),
    (4, 0.3, 0.8),
    (2.5, 0.05, 0.5),
]


@pytest.mark.parametrize("shape", GALAXIES)
def test_smooth_galaxy_is_what_galsim_draws(shape):
    expected = drawn_by_galsim(*shape)
    assert np.abs(drawn(smooth(*shape)) - expected).max() < 1e-3 * expected.max()


def test_painted_disk_without_visible_structure_is_the_analytic_one():
    expected = drawn_by_galsim(1, 0.5, 0.4)
    painted = drawn(smooth(1, 0.5, 0.4) | {"lopsidedness": 1e-9})
    assert np.abs(painted - expected).max() < 4e-3 * expected.max()


@pytest.mark.parametrize(
    "structure", ["spiral", "ring", "bar", "clumpiness", "lopsidedness", "dust"]
)
def test_structure_moves_light_and_keeps_flux(structure):
    plain = drawn(smooth(1, 0.6, 0.8))
    changed = drawn(smooth(1, 0.6, 0.8) | {structure: 0.9})
    assert changed.sum() == pytest.approx(plain.sum(), rel=0.01)
    assert np.abs(changed - plain).sum() > 0.08 * plain.sum()


def test_arms_are_symmetric_and_lopsidedness_is_not():
    def asymmetry(structure):
        image = drawn(smooth(1, 0.6, 0.9) | structure, x=64, y=64, side=129)
        return np.abs(image - image[::-1, ::-1]).sum() / image.sum()

    assert asymmetry({}) < 0.01
    assert asymmetry({"lopsidedness": 0.8}) > 0.15


def test_companion_adds_its_light():
    image = drawn(smooth(1, 0.3, 0.8) | {"companion": 0.8, "kind": "merger"})
    assert 1.6 < image.sum() < 2.2


def test_third_galaxy_and_tail_add_their_light():
    truth = smooth(1, 0.3, 0.8) | {"companion": 0.8, "kind": "merger"}
    two = drawn(truth).sum()
    assert drawn(truth | {"third": 0.5}).sum() == pytest.approx(two + 0.5, abs=0.05)
    assert drawn(truth | {"tail": 1.0}).sum() == pytest.approx(two + 0.35, abs=0.05)


def test_lane_of_dust_darkens_the_middle_of_an_edge_on_disk():
    plain = drawn(smooth(1, 0.8, 0.25) | {"lopsidedness": 1e-9}, x=64, y=64)
    dusty = drawn(smooth(1, 0.8, 0.25) | {"dust": 0.9}, x=64, y=64)
    middle = np.s_[60:69, 60:69]
    assert (dusty / plain)[middle].min() < 0.8


def test_bulge_makes_the_middle_brighter():
    disk = smooth(1, 0.5, 0.8)
    both = disk | {"bulge_to_total": 0.6, "sersic_n": 4.0}
    assert drawn(both).max() > 2 * drawn(disk).max()


def test_star_is_the_point_spread_function_of_hubble():
    star = smooth(1, 0.0, 1.0) | {"kind": "star"}
    image = drawn(star, x=63.5, y=63.5)
    assert image.sum() == pytest.approx(1, abs=0.01)
    rows, columns = np.indices(image.shape)
    assert (image * columns).sum() / image.sum() == pytest.approx(63.5, abs=0.05)
    assert (image * rows).sum() / image.sum() == pytest.approx(63.5, abs=0.05)
    # CANDELS stars have 0.17 to 0.19 arcsec (Koekemoer et al. 2011)
    assert 0.16 < WFC3_F160W.psf_fwhm < 0.20


def test_saturated_star_has_a_flat_core():
    star = smooth(1, 0.0, 1.0) | {"kind": "star"}
    cut = drawn(star | {"saturation": 0.8})
    assert cut.max() == pytest.approx(0.2 * drawn(star).max())
    assert np.sum(cut == cut.max()) > 4


@pytest.mark.parametrize(("x", "y"), [(2.0, 5.0), (98.0, 30.0), (50.0, 59.6)])
def test_object_at_the_border_is_cut_off(x, y):
    truth = smooth(1, 0.3, 0.8)
    image = np.zeros((60, 100))
    window, part = add_object(image, truth, WFC3_F160W, x, y, np.random.default_rng(2))
    assert np.array_equal(image[window], part)
    assert 0.2 < image.sum() < 0.95
    peak = np.unravel_index(image.argmax(), image.shape)
    assert np.hypot(peak[0] - y, peak[1] - x) < 1.5


def test_blend_puts_bright_objects_over_the_one_that_is_meant():
    truth = smooth(1, 0.3, 0.8) | {"magnitude": 23.0}
    image = np.zeros((96, 96))
    add_blend(image, truth, WFC3_F160W, 47.5, 47.5, np.random.default_rng(3))
    flux = 10 ** (-0.4 * (23.0 - WFC3_F160W.zero_point))
    assert image[32:64, 32:64].sum() > 2 * flux


@pytest.mark.parametrize("defect", sorted(set(DEFECTS) - {"blend"}))
def test_defect_changes_the_image_near_the_object(defect):
    image = np.full((64, 64), 0.1)
    changed = add_defect(
        image, defect, WFC3_F160W, 31.5, 31.5, 0.005, np.random.default_rng(3)
    )
    assert np.all(image == 0.1)
    assert np.any(np.abs(changed - image)[16:48, 16:48] > 0.01)

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Whatever is wrong with an image, its row is flagged and the others are finished."""

from dataclasses import replace

import numpy as np
import pytest

from galmorph.core import MorphFlag, decode_flags
from galmorph.images import NOT_CLASSIFIED, as_nddata, cutout_from_image
from galmorph.tests.images.galaxies import (
    PREPROCESS,
    flags_of,
    galaxy,
    measured,
    noise,
    stamps_of,
)


def test_a_bad_column_does_not_cut_a_galaxy_in_two(image, reference):
    image[:, 48:50] = np.nan
    image[30, :] = np.inf
    stamps = stamps_of(image)
    assert flags_of(stamps) == {"masked_pixels"}
    assert measured(stamps, "x_centroid") == pytest.approx(50.3, abs=0.2)
    assert np.abs(stamps.data - reference.data).mean() < 0.05 * PREPROCESS.peak


def test_a_saturated_core_is_no_hole():
    star = galaxy(50, 50, 1000, 3, 1.0) + noise()
    star[46:55, 46:55] = np.nan
    stamps = stamps_of(star)
    assert flags_of(stamps) == {"masked_pixels"}
    assert measured(stamps, "x_centroid") == pytest.approx(50, abs=0.2)
    assert stamps.data[0, 22, 22, 0] > 0.9 * PREPROCESS.peak


def test_what_lies_beyond_the_edge_looks_like_sky():
    x = 4.0
    stamps = stamps_of(galaxy(x, 50, 200, 3) + noise())
    positioned = PREPROCESS(
        [cutout_from_image(as_nddata(galaxy(x, 50, 200, 3) + noise()), (x, 50))]
    )
    assert "no_source" in flags_of(stamps)
    assert flags_of(positioned) == {"partial_stamp"}
    beyond, sky = positioned.data[0, -9:, :9, 0], positioned.data[0, -9:, -9:, 0]
    assert beyond.std() == pytest.approx(sky.std(), rel=0.25)


def test_a_stamp_that_is_mostly_masked_is_partial(image):
    image[:, :35] = np.nan
    assert "partial_stamp" in flags_of(stamps_of(image))


HOPELESS = {
    "all nan": (np.full((50, 50), np.nan), {"no_data"}),
    "all masked": (np.ma.masked_all((50, 50)), {"no_data"}),
    "constant": (np.full((50, 50), 7.0), {"no_source", "low_snr"}),
    "zero": (np.zeros((50, 50)), {"no_source", "low_snr"}),
    "noise": (noise(3, (50, 50)), {"no_source", "low_snr"}),
    "tiny": (
        np.arange(9.0).reshape(3, 3),
        {"no_source", "low_snr", "partial_stamp", "unresolved"},
    ),
    "one pixel": (
        np.ones((1, 1)),
        {"no_source", "low_snr", "partial_stamp", "unresolved"},
    ),
    "one row": (
        np.ones((1, 50)),
        {"no_source", "low_snr", "partial_stamp", "unresolved"},
    ),
    "hole": (-galaxy(50, 50) + noise(), {"no_source", "low_snr"}),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_hopeless_images_are_flagged_rows(name):
    image, wanted = HOPELESS[name]
    stamps = stamps_of(image)
    assert flags_of(stamps) == wanted
    assert np.isfinite(stamps.data).all()
    assert stamps.failures == {}
    assert stamps.usable[0] == ("no_data" not in wanted)
    if "no_data" in wanted:
        assert not stamps.data.any()
        assert all(
            np.isnan(column[0]) for column in stamps.measurements.columns.values()
        )


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("value", [1e30, -1e30, 3e38])
@pytest.mark.parametrize("place", [(20, 20), (50, 50)])
def test_huge_outliers_break_nothing(image, reference, kind, value, place):
    image = image.astype(kind)
    image[place] = value
    stamps = stamps_of(image)
    assert np.isfinite(stamps.data).all() and stamps.failures == {}
    if place == (20, 20):
        assert measured(stamps, "stamp_side") == pytest.approx(
            measured(reference, "stamp_side"), rel=0.05
        )


def test_positions_without_an_image_are_flagged_rows(image):
    x, y = [50, np.nan, 500, 50], [50, 50, 50, -1e9]
    stamps = PREPROCESS(PREPROCESS.cutouts(as_nddata(image), x, y))
    assert [decode_flags(f) for f in stamps.flags] == [
        [],
        ["bad_position"],
        ["outside_image"],
        ["outside_image"],
    ]
    assert stamps.usable.tolist() == [True, False, False, False]
    assert not stamps.data[1:].any()


def test_masked_surroundings_hold_no_data():
    image = galaxy(20, 20, shape=(90, 90)) + noise(shape=(90, 90))
    image[40:, :] = np.nan
    stamps = PREPROCESS(PREPROCESS.cutouts(as_nddata(image), [20, 60], [20, 80]))
    assert flags_of(stamps, 1) == {"no_data"}


def test_an_error_in_one_object_ends_no_batch(image):
    good = cutout_from_image(as_nddata(image))
    broken = replace(good, mask=np.zeros((3, 4), bool))
    stamps = PREPROCESS([good, broken, good])
    assert [decode_flags(f) for f in stamps.flags] == [[], ["failed"], []]
    assert list(stamps.failures) == [1] and "shape" in stamps.failures[1]
    np.testing.assert_array_equal(stamps.data[0], stamps.data[2])


def test_flags_that_a_cutout_has_already_are_kept(image):
    cutout = replace(cutout_from_image(as_nddata(image)), flags=int(MorphFlag.FAILED))
    stamps = PREPROCESS([cutout])
    assert flags_of(stamps) == {"failed"} and not stamps.data.any()
    assert NOT_CLASSIFIED & stamps.flags[0]


def test_small_and_faint_targets_are_told():
    star = galaxy(50, 50, 40, 0.4, 1.0) + noise()
    assert "unresolved" in flags_of(
        stamps_of(star, preprocess=replace(PREPROCESS, smoothing_fwhm=0.5))
    )
    faint = flags_of(stamps_of(galaxy(50, 50, 5, 1, 1.0) + noise()))
    assert "low_snr" in faint or "no_source" in faint


def test_a_position_far_from_the_centroid_is_kept_and_told():
    image = galaxy(50, 50, 300, 8, 0.3) + noise()
    stamps = PREPROCESS([cutout_from_image(as_nddata(image), (70, 50))])
    assert "recenter_limit" in flags_of(stamps)
    assert measured(stamps, "x_centroid") == 70


def test_the_light_of_a_large_neighbour_does_not_swell_a_small_target():
    shape = (300, 300)
    large = galaxy(150, 150, 300, 25, 1.0, shape)
    scene = large + noise(shape=shape) + galaxy(150, 225, 30, 1.5, 1.0, shape)
    segmentation = (large > 30).astype(int)  # its wings are in no segment
    segmentation[220:231, 145:156] = 2
    stamps = PREPROCESS(
        PREPROCESS.cutouts(as_nddata(scene), [150], [225], segmentation=segmentation)
    )
    assert "petrosian_limit" in flags_of(stamps)
    assert measured(stamps, "stamp_side") < 40


def test_a_profile_without_an_end_gets_a_substitute_size():
    stamps = stamps_of(galaxy(50, 50, 1000, 60, 1.0) + noise())
    assert {"petrosian_limit", "partial_stamp"} <= flags_of(stamps)
    assert measured(stamps, "stamp_side") > 0

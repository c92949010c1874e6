# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""A target is found, centred, sized, resampled and stretched as the settings say."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from galmorph.core import ConfigurationError, decode_flags
from galmorph.images import (
    Preprocessor,
    as_nddata,
    cutout_from_image,
)
from galmorph.tests.images.galaxies import (
    PREPROCESS,
    flags_of,
    galaxy,
    measured,
    noise,
    stamps_of,
)


def test_a_galaxy_becomes_a_centred_stamp(reference):
    assert reference.data.shape == (1, 45, 45, 1)
    assert reference.data.dtype == np.float32
    assert reference.flags.tolist() == [0]
    assert measured(reference, "x_centroid") == pytest.approx(50.3, abs=0.1)
    assert measured(reference, "y_centroid") == pytest.approx(49.8, abs=0.1)
    assert measured(reference, "sky_rms") == pytest.approx(1, rel=0.05)
    side = 4 * measured(reference, "petrosian_radius")
    assert measured(reference, "stamp_side") == pytest.approx(side)
    stamp = reference.data[0, ..., 0]
    assert stamp.max() == pytest.approx(PREPROCESS.peak)
    assert np.unravel_index(stamp.argmax(), stamp.shape) == (22, 22)
    assert abs(np.median(stamp[:3])) < 0.5


def test_the_window_grows_until_the_galaxy_fits():
    shape = (500, 500)
    large = galaxy(251.4, 248.7, 60, 18, 0.8, shape) + noise(shape=shape)
    image = as_nddata(large)
    stamps = PREPROCESS(PREPROCESS.cutouts(image, [251], [249]))
    assert measured(stamps, "stamp_side") > 2 * PREPROCESS.window
    assert measured(stamps, "x_centroid") == pytest.approx(251.4, abs=0.3)
    assert flags_of(stamps) == set()
    whole = PREPROCESS([cutout_from_image(image)])
    assert measured(stamps, "stamp_side") == pytest.approx(
        measured(whole, "stamp_side"), rel=0.05
    )


@pytest.mark.parametrize("offset", [(30, 0), (-14, 8)])
def test_neighbours_are_taken_out(offset):
    x, y = 50 + offset[0], 50 + offset[1]
    lonely = galaxy(50, 50, length=3) + noise()
    crowded = lonely + galaxy(x, y, 300, 1.5, 1.0)
    wanted = stamps_of(lonely)
    for policy in ("noise", "mask"):
        found = stamps_of(crowded, preprocess=replace(PREPROCESS, neighbours=policy))
        assert measured(found, "stamp_side") == pytest.approx(
            measured(wanted, "stamp_side"), rel=0.1
        )
        difference = np.abs(found.data - wanted.data)[0, ..., 0]
        assert difference.max() < 0.6 * PREPROCESS.peak
        assert difference[15:30, 15:30].mean() < 0.03 * PREPROCESS.peak
    kept = stamps_of(crowded, preprocess=replace(PREPROCESS, neighbours="keep"))
    half = measured(kept, "stamp_side") / 2
    if max(map(abs, offset)) < half:
        column, row = (np.array(offset) / half * 22.5 + 22).round().astype(int)
        assert kept.data[0, row, column, 0] > 0.8 * PREPROCESS.peak


def test_what_touches_the_target_can_stay():
    lonely = galaxy(50, 50) + noise()
    light = galaxy(63, 50, 300, 1.5, 1.0) + galaxy(50, 69, 60, 1.0, 1.0)
    preprocess = replace(PREPROCESS, neighbours="apart")
    found, cut = (
        stamps_of(lonely + light, preprocess=p) for p in (preprocess, PREPROCESS)
    )
    # it is no part of the target
    assert measured(found, "petrosian_radius") == measured(cut, "petrosian_radius")
    scale = 45 / measured(found, "stamp_side")
    touching, apart = (
        found.data[0, round(22 + (y - 50) * scale), round(22 + (x - 50) * scale), 0]
        for x, y in ((63, 50), (50, 69))
    )
    assert touching > 0.8 * PREPROCESS.peak
    assert apart < 0.4 * PREPROCESS.peak


def test_a_brighter_neighbour_is_told(image):
    stamps = stamps_of(image + galaxy(66, 58, 2000, 1.5, 1.0))
    assert flags_of(stamps) == {"neighbour"}


def test_a_given_segmentation_decides_what_the_target_is(image):
    two = image + galaxy(62, 50, 100, 2, 1.0)
    segmentation = np.zeros(image.shape, ">i4")
    segmentation[40:60, 40:75] = 5
    nddata = as_nddata(two)
    joined = PREPROCESS(
        PREPROCESS.cutouts(nddata, [55], [50], segmentation=segmentation)
    )
    segmentation[40:60, 58:75] = 9
    apart = PREPROCESS(
        PREPROCESS.cutouts(nddata, [50], [50], segmentation=segmentation)
    )
    assert measured(joined, "x_centroid") > measured(apart, "x_centroid") + 0.5
    by_label = PREPROCESS(
        PREPROCESS.cutouts(nddata, [60], [50], segmentation=segmentation, labels=[9])
    )
    assert measured(by_label, "x_centroid") > 59


def test_labels_of_a_large_catalogue_cost_no_more(image):
    segmentation = np.zeros(image.shape, np.int64)
    segmentation[40:60, 40:60], segmentation[:5, :5] = 2**40, 2**41
    stamps = PREPROCESS(
        PREPROCESS.cutouts(as_nddata(image), [50], [50], segmentation=segmentation)
    )
    assert stamps.usable.all()


def test_a_far_piece_with_the_label_of_the_target_is_another_object(image):
    image += galaxy(20, 20, 100, 1.5, 1.0)
    segmentation = np.zeros(image.shape, int)
    segmentation[40:60, 40:60] = 3
    nddata = as_nddata(image)
    wanted, found = [], []
    for stamps in (wanted, found):
        cut = PREPROCESS.cutouts(nddata, [50], [50], segmentation=segmentation)
        stamps.append(measured(PREPROCESS(cut), "x_centroid"))
        segmentation[15:25, 15:25] = 3
    assert found == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("labels", [None, [7]])
def test_a_label_that_is_not_there_is_no_source(image, labels):
    nothing = np.zeros(image.shape, int)
    stamps = PREPROCESS(
        PREPROCESS.cutouts(
            as_nddata(image), [50], [50], segmentation=nothing, labels=labels
        )
    )
    assert flags_of(stamps) == {"no_source", "low_snr"}


def test_a_fixed_size_needs_the_pixel_scale(image):
    fixed = Preprocessor(size_rule="fixed", fixed_size=3.0)
    stamps = stamps_of(image, preprocess=fixed, pixel_scale=0.06)
    assert measured(stamps, "stamp_side") == pytest.approx(50)
    stamps = stamps_of(image, preprocess=fixed)
    assert flags_of(stamps) == {"failed"} and "pixel_scale" in stamps.failures[0]


def test_a_known_pixel_scale_gives_angles(image):
    stamps = stamps_of(image, pixel_scale=0.06)
    angle = stamps.measurements["petrosian_radius_angle"]
    assert angle.unit == u.arcsec
    assert angle[0].value == pytest.approx(0.06 * measured(stamps, "petrosian_radius"))


def test_bands_share_one_geometry(image):
    red, blue = image, 3 * galaxy(50.3, 49.8) + noise(1)
    stamps = stamps_of(np.stack([red, blue], -1), band_axis=-1)
    assert stamps.data.shape == (1, 45, 45, 2)
    one, other = stamps.data[0, ..., 0], stamps.data[0, ..., 1]
    assert np.unravel_index(one.argmax(), one.shape) == (22, 22)
    assert np.unravel_index(other.argmax(), other.shape) == (22, 22)
    assert not np.array_equal(one, other)


def test_a_margin_adds_pixels_of_the_same_sampling(image, reference):
    wide = stamps_of(image, preprocess=PREPROCESS.with_margin(65))
    assert wide.data.shape == (1, 65, 65, 1)
    assert wide.measurements["stamp_side"] == reference.measurements["stamp_side"]
    inner = wide.data[:, 10:-10, 10:-10]
    np.testing.assert_allclose(inner, reference.data, atol=0.02)
    with pytest.raises(ConfigurationError, match="margin"):
        PREPROCESS.with_margin(20)


def test_the_linear_stretch_is_proportional_to_flux(image):
    linear = stamps_of(image, preprocess=replace(PREPROCESS, stretch="linear"))
    curved = stamps_of(image).data
    assert linear.data.max() == pytest.approx(PREPROCESS.peak)
    middle = curved > 1
    assert np.all(linear.data[middle] <= curved[middle] + 1e-5)


def test_a_galaxy_looks_the_same_at_any_depth_where_brightness_is_the_unit():
    preprocess = replace(PREPROCESS, softening_unit="brightness", softening=0.5)
    # the ripples are on the same galaxy, seen at twenty times the depth
    shallow, deep = (
        stamps_of(galaxy(50, 50, amplitude) + noise(), preprocess=preprocess)
        for amplitude in (100, 2000)
    )
    shrunk = replace(preprocess, softening_unit="noise", softening=3.0)
    noisy, clean = (
        stamps_of(galaxy(50, 50, amplitude) + noise(), preprocess=shrunk)
        for amplitude in (100, 2000)
    )
    middle = np.s_[0, 14:31, 14:31, 0]
    same = np.abs(shallow.data[middle] - deep.data[middle]).mean()
    other = np.abs(noisy.data[middle] - clean.data[middle]).mean()
    assert same < 0.3 * other
    assert shallow.data.max() == pytest.approx(PREPROCESS.peak)


def test_steps_of_few_values_count_as_noise():
    clean = galaxy(50, 50, 200)
    pictures = [np.rint(clean + 0.1 * noise()), np.rint(clean).astype(np.uint8)]
    for picture in pictures:
        found = stamps_of(picture)
        assert measured(found, "sky_rms") == 1
        # the picture in other units
        scaled = stamps_of(picture / 255.0)
        assert measured(scaled, "sky_rms") == pytest.approx(1 / 255)
        assert measured(scaled, "stamp_side") == pytest.approx(
            measured(found, "stamp_side"), rel=1e-3
        )
    # values that are not of few steps are what they are
    assert measured(stamps_of(clean + 0.1 * noise()), "sky_rms") < 0.11


def test_noise_is_not_blown_up_to_a_galaxy():
    empty = stamps_of(noise(shape=(60, 60)))
    assert np.abs(empty.data).mean() < 0.5 * PREPROCESS.peak


def test_nothing_gives_an_empty_table():
    stamps = PREPROCESS([])
    assert len(stamps) == len(stamps.measurements) == 0
    assert stamps.measurements["petrosian_radius"].unit == u.pix
    assert stamps.flags.dtype == np.int32


def test_measurements_say_what_they_are(reference):
    for column in reference.measurements.itercols():
        assert column.info.description


def test_settings_survive_json():
    for preprocess in (
        PREPROCESS,
        Preprocessor(shape=64, size_rule="fixed", neighbours="mask", softening=1.5),
        PREPROCESS.with_margin(64),
    ):
        config = json.loads(json.dumps(preprocess.to_dict()))
        assert Preprocessor.from_dict(config) == preprocess


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"colour": "blue"}, "colour"),
        ({"shape": 2}, "shape"),
        ({"shape": 45.5}, "shape"),
        ({"shape": "45"}, "shape"),
        ({"size_rule": "large"}, "size_rule"),
        ({"neighbours": "eat"}, "neighbours"),
        ({"softening_unit": "magnitude"}, "softening_unit"),
        ({"stretch": ["asinh"]}, "stretch"),
        ({"softening": 0}, "softening"),
        ({"softening": float("nan")}, "softening"),
        ({"size_factor": None}, "size_factor"),
        ({"recenter_limit": -1}, "recenter_limit"),
        ({"margin": -1}, "margin"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, message):
    with pytest.raises(ConfigurationError, match=message):
        Preprocessor.from_dict({**PREPROCESS.to_dict(), **config})


def test_photutils_is_loaded_only_where_it_is_needed():
    code = (
        "import sys; from galmorph.images import Preprocessor, as_nddata;"
        "Preprocessor(); assert 'photutils' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_candels_galaxies_sit_in_the_middle(real_data):
    paths = sorted((real_data / "candels_f160w").glob("*_h.fits"))
    assert len(paths) == 6
    stamps = PREPROCESS(cutout_from_image(as_nddata(path)) for path in paths)
    assert set(np.ravel([decode_flags(f) for f in stamps.flags if f])) <= {"neighbour"}
    for row, path in enumerate(paths):
        stamp = stamps.data[row, ..., 0]
        peak = np.unravel_index(stamp.argmax(), stamp.shape)
        assert np.hypot(peak[0] - 22, peak[1] - 22) < 3, path.name
        assert 20 < measured(stamps, "stamp_side", row) < 84
    angle = stamps.measurements["petrosian_radius_angle"]
    np.testing.assert_allclose(
        angle.value, 0.06 * stamps.measurements["petrosian_radius"].value, rtol=1e-3
    )


def test_the_segmentation_of_candels_gives_the_same_targets(real_data):
    folder = real_data / "candels_f160w"
    for path in sorted(folder.glob("*_h.fits")):
        image = as_nddata(path)
        segments = as_nddata(str(path).replace("_h.fits", "_segmap.fits")).data
        own = PREPROCESS([cutout_from_image(image)])
        given = PREPROCESS([cutout_from_image(image, segmentation=segments)])
        for name in ("x_centroid", "y_centroid"):
            assert measured(given, name) == pytest.approx(measured(own, name), abs=1)

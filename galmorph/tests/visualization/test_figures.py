# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galmorph.core import CANDELS, GALAXY_ZOO_2, ConfigurationError, MorphFlag

pytest.importorskip("matplotlib")

from galmorph.visualization import card, gallery  # noqa: E402
from galmorph.visualization.drawing import display_scale  # noqa: E402


def results(n, scheme=CANDELS, seed=1):
    rng = np.random.default_rng(seed)
    table = QTable({"id": [f"galaxy_{i}" for i in range(n)]})
    for name in scheme.outputs:
        table[name] = rng.random(n).astype("f4")
        table[f"{name}_err"] = np.full(n, 0.1, "f4")
    table["morph_class"] = ["disk"] * n
    table["morph_flags"] = np.zeros(n, "i4")
    return table


def stamps(n, side=21, seed=2):
    return np.random.default_rng(seed).normal(size=(n, side, side, 1))


def words(figure):
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
    return found


def pictures(figure):
    return sum(len(axes.images) for axes in figure.axes)


def test_gallery_shows_each_galaxy_with_its_id_class_and_fractions():
    table = results(3)
    figure = gallery(stamps(3), table)
    assert pictures(figure) == 3
    shown = words(figure)
    assert {"galaxy_0", "galaxy_1", "galaxy_2"} <= set(shown)
    assert shown.count("disk") == 6  # the class and the name of a bar, each thrice
    assert f"{table['f_irregular'][1]:.2f}" in shown


def test_gallery_stops_at_n():
    assert pictures(gallery(stamps(9), results(9), n=4)) == 4


def test_gallery_of_nothing_is_a_page_that_says_so(tmp_path):
    figure = gallery(np.zeros((0, 5, 5, 1)), results(0), path=tmp_path / "g.png")
    assert "no galaxies" in words(figure)
    assert (tmp_path / "g.png").stat().st_size > 0


def test_gallery_takes_images_of_different_sizes_and_masks():
    images = [np.ones((5, 9)), np.ma.masked_less(np.eye(7), 1), np.full((3, 3), np.nan)]
    assert pictures(gallery(images, results(3))) == 3


def test_gallery_marks_what_was_not_classified_and_names_the_flags():
    table = results(2)
    for name in CANDELS.outputs:
        table[name][1] = np.nan
    table["morph_class"][1] = ""
    table["morph_flags"][1] = MorphFlag.NO_DATA
    shown = words(gallery(stamps(2), table))
    assert shown.count("not classified") == 1
    assert "no data" in shown


def test_gallery_shows_the_six_largest_of_many_outputs():
    table = results(1, GALAXY_ZOO_2)
    table["Class7.3"] = np.float32(0.999)
    shown = words(gallery(stamps(1), table))
    assert "Class7.3" in shown
    assert sum(word.startswith("Class") for word in shown) == 6


def test_gallery_shows_truth_and_angular_widths():
    table = results(2)
    figure = gallery(
        stamps(2), table, truth=table, widths=[2.5, np.nan] * u.arcsec, title="Two"
    )
    shown = words(figure)
    assert '2.5"' in shown
    assert "Two" in shown
    assert any("truth" in word for word in shown)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_gallery_writes_the_format_of_the_suffix(tmp_path, suffix):
    path = tmp_path / f"gallery{suffix}"
    gallery(stamps(2), results(2), path=path)
    assert path.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [path]


def test_gallery_refuses_a_suffix_that_is_no_picture(tmp_path):
    with pytest.raises(ConfigurationError, match="no suffix of a figure"):
        gallery(stamps(1), results(1), path=tmp_path / "gallery.ecsv")
    assert not list(tmp_path.iterdir())


def test_gallery_refuses_stamps_that_do_not_fit_the_table():
    with pytest.raises(ConfigurationError, match="each of the 3 rows"):
        gallery(stamps(2), results(3))


def test_gallery_names_the_columns_that_are_missing():
    with pytest.raises(ConfigurationError, match="f_bar"):
        gallery(stamps(1), results(1), outputs=["f_bar"])
    with pytest.raises(ConfigurationError, match="no column of fractions"):
        gallery(stamps(1), QTable({"a": [1]}))


def test_fluxes_with_errors_are_no_fractions():
    table = results(1)
    table["kron_flux"], table["kron_flux_err"] = [5.0], [0.1]
    assert "kron flux" not in words(gallery(stamps(1), table))
    table.meta["galmorph"] = {"outputs": ["f_disk"]}
    shown = words(gallery(stamps(1), table))
    assert "disk" in shown and "spheroid" not in shown


def test_card_shows_measurements_with_units_and_flags():
    table = results(1)
    table["snr"] = [12.3]
    table["petrosian_radius_angle"] = [0.75] * u.arcsec
    table["morph_flags"] = MorphFlag.NEIGHBOUR | MorphFlag.PARTIAL_STAMP
    figure = card(stamps(1)[0], table[0], truth=table[0], image=np.ones((9, 9)))
    shown = words(figure)
    assert pictures(figure) == 2
    assert "petrosian radius angle   0.75 arcsec" in shown
    assert {"neighbour", "partial stamp"} <= set(shown)


def test_card_takes_a_table_of_one_row_only(tmp_path):
    card(stamps(1)[0], results(1), path=tmp_path / "card.png")
    assert (tmp_path / "card.png").stat().st_size > 1000
    with pytest.raises(ConfigurationError, match="2 rows"):
        card(stamps(1)[0], results(2))


def test_display_scale_does_not_depend_on_flux_scale_or_pedestal():
    image = np.random.default_rng(3).normal(size=(20, 20))
    image[8:12, 8:12] += 30
    levels = display_scale(image)
    assert levels.max() == 1
    np.testing.assert_allclose(display_scale(1e-20 * image), levels, atol=1e-6)
    np.testing.assert_allclose(display_scale(image + 50), levels, atol=1e-6)


def test_display_scale_leaves_noise_grey():
    levels = display_scale(np.random.default_rng(4).normal(size=(40, 40)))
    assert 0.2 < np.median(levels) < 0.4
    assert np.isnan(display_scale(np.full((3, 3), np.inf))).all()


def test_figures_do_without_pyplot():
    code = (
        "import sys, numpy as np; from astropy.table import Table;"
        "from galmorph.visualization import gallery;"
        "gallery(np.ones((1, 5, 5)), Table({'f': [0.5], 'f_err': [0.1]}));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

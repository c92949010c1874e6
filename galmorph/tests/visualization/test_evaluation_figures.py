# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galmorph import CANDELS, GALAXY_ZOO_2, LabelScheme
from galmorph.core import ConfigurationError
from galmorph.evaluation import (
    binned_metrics,
    confusion_table,
    coverage_table,
    reliability_table,
    selection_table,
)

pytest.importorskip("matplotlib")

from galmorph.visualization import (  # noqa: E402
    bins_figure,
    confusion_figure,
    coverage_figure,
    density_figure,
    reliability_figure,
    selection_figure,
)

TWO = LabelScheme("two", outputs=["f_a", "f_point_source"])


@pytest.fixture(scope="module")
def fractions():
    random = np.random.default_rng(1)
    truth = random.uniform(size=(400, 2))
    return truth, np.clip(truth + random.normal(0, 0.1, truth.shape), 0, 1)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_density_has_a_panel_per_output_with_its_numbers(fractions):
    truth = np.array([[0.0, 1.0], [0.5, np.nan]])
    figure = density_figure(truth, truth + 0.1, TWO)
    assert titles(figure) == ["a", "point source"]
    first, second = words(figure)
    assert "RMSE 0.100" in first and "bias +0.100" in first and "2 galaxies" in first
    assert "1 galaxies" in second


def test_density_shows_the_counts_at_their_place():
    figure = density_figure([[0.0], [0.0]], [[0.99], [0.99]], LabelScheme("a", ["f_a"]))
    (image,) = figure.axes[0].images
    counts = np.expm1(np.ma.filled(image.get_array(), 0))
    assert counts[-1, 0] == pytest.approx(2) and counts.sum() == pytest.approx(2)


def test_density_refuses_what_is_not_of_the_scheme():
    with pytest.raises(ConfigurationError, match="shape"):
        density_figure(np.zeros((3, 2)), np.zeros((3, 2)), CANDELS)


def test_bins_name_their_column_and_unit(fractions):
    magnitudes = np.linspace(18, 25, 400) * u.mag
    table = binned_metrics(*fractions, magnitudes, TWO, n_votes=5, n_samples=5)
    figure = bins_figure(table, "H")
    assert titles(figure) == ["a", "point source", "all"]
    assert figure.axes[0].get_xlabel() == "H [mag]"
    assert "perfect" in figure.texts[0].get_text()


def test_lines_go_on_over_empty_bins():
    # of the votes of two people no fraction lies between 0 and 0.5
    truth = np.repeat([[0.0], [0.5], [1.0]], 20, axis=0)
    predicted = 0.8 * truth + 0.05
    bars = LabelScheme("bars", outputs=["f_bar"])
    figure = bins_figure(binned_metrics(truth, predicted, scheme=bars, n_votes=2))
    assert figure.axes[0].containers[0].lines[0].get_xdata().tolist() == [0, 0.5, 1]
    figure = reliability_figure(reliability_table(truth, predicted, bars))
    drawn = figure.axes[0].containers[-1].lines[0].get_xdata()
    np.testing.assert_allclose(drawn, [0.05, 0.45, 0.85])


def test_reliability_draws_the_points_of_the_table(fractions):
    table = reliability_table(*fractions, TWO, n_samples=5)
    figure = reliability_figure(table)
    points = figure.axes[1].containers[-1].lines[0].get_xydata()
    rows = table[table["output"] == "f_point_source"]
    np.testing.assert_allclose(points[:, 0], rows["predicted"])
    np.testing.assert_allclose(points[:, 1], rows["true"])


def test_coverage_has_a_line_per_output(fractions):
    errors = np.full((400, 2), 0.1)
    table = coverage_table(*fractions, errors, TWO, n_votes=5, n_samples=5)
    (axes,) = coverage_figure(table).axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["a", "point source", "all"]
    drawn = axes.containers[0].lines[0].get_xdata()
    assert drawn.tolist() == table["within_1"].tolist()


def test_confusion_shows_counts_and_shares_of_the_true_class():
    table = confusion_table(list("aaab"), list("aabb"), "abc")
    figure = confusion_figure(table)
    assert words(figure) == ["2\n67%", "1\n33%", "1\n100%"]


def test_confusion_needs_true_classes():
    with pytest.raises(ConfigurationError, match="true_class"):
        confusion_figure(QTable({"a": [1]}))


def test_selection_draws_completeness_and_purity(fractions):
    table = selection_table(*fractions, TWO, n_samples=5)
    figure = selection_figure(table)
    assert titles(figure) == ["a", "point source"]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["completeness", "purity"]


def test_many_outputs_and_no_galaxies_are_drawn(tmp_path):
    truth = np.random.default_rng(1).uniform(size=(30, 37))
    assert len(density_figure(truth, truth, GALAXY_ZOO_2).axes) == 37
    empty = np.zeros((0, 2))
    density_figure(empty, empty, TWO, path=tmp_path / "d.png")
    table = reliability_table(empty, empty, TWO, n_samples=2)
    reliability_figure(table, path=tmp_path / "r.png")
    table = coverage_table(empty, empty, empty, TWO, n_samples=2)
    coverage_figure(table, path=tmp_path / "c.png")
    confusion_figure(confusion_table([], [], "ab"), path=tmp_path / "m.png")
    table = binned_metrics(empty, empty, None, TWO, n_samples=2)
    bins_figure(table, path=tmp_path / "b.png")
    assert len(list(tmp_path.iterdir())) == 5

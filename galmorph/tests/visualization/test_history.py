# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.table import QTable, vstack

from galmorph.core import ConfigurationError

pytest.importorskip("matplotlib")

from galmorph.visualization import history_figure  # noqa: E402


def history(scores=(0.3, 0.2, 0.25), **more):
    n = len(scores)
    table = QTable({"epoch": np.arange(1, n + 1), "rmse": np.linspace(0.3, 0.1, n)})
    table["val_rmse"] = np.array(scores, float)
    for name, values in more.items():
        table[name] = values
    return table


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_epoch_of_the_least_validation_error_is_marked():
    (axes,) = history_figure(history()).axes
    assert "best: epoch 2, 0.2000" in legend(axes)
    assert [2, 0.2] in [line.get_xydata()[0].tolist() for line in axes.lines]


def test_learning_rate_and_outputs_have_panels_of_their_own():
    table = history(
        learning_rate=[0.1, 0.01, 0.001],
        val_rmse_f_disk=[0.3, 0.2, 0.2],
        val_rmse_f_irregular=[0.1, 0.1, 0.1],
    )
    errors, outputs, rate = history_figure(table).axes
    assert legend(outputs) == ["disk", "irregular"]
    assert rate.get_yscale() == "log"
    assert rate.lines[0].get_ydata().tolist() == [0.1, 0.01, 0.001]


def test_each_member_has_its_best_epoch():
    table = vstack([history(member=[1] * 3), history((0.3, 0.2, 0.1), member=[2] * 3)])
    (axes,) = history_figure(table).axes
    words = legend(axes)
    assert "best: epoch 2, 0.2000" in words and "best: epoch 3, 0.1000" in words


def test_epochs_without_a_score_and_empty_histories_are_drawn(tmp_path):
    history_figure(history((np.nan, np.nan, np.nan)), path=tmp_path / "a.png")
    history_figure(history()[:0], path=tmp_path / "b.png")
    assert (tmp_path / "a.png").stat().st_size > 0
    assert (tmp_path / "b.png").stat().st_size > 0


def test_a_missing_column_is_named():
    with pytest.raises(ConfigurationError, match="val_rmse"):
        history_figure(QTable({"epoch": [1], "rmse": [0.1]}))

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import subprocess
import sys
from html.parser import HTMLParser

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table

from galmorph import CANDELS, LabelScheme
from galmorph.core import ConfigurationError
from galmorph.evaluation import draw_fractions, evaluate
from galmorph.tables import read_table

N = 300
BARS = LabelScheme("bars", outputs=["f_bar"])


def tables(seed=1):
    random = np.random.default_rng(seed)
    predicted = random.beta(0.4, 0.6, (N, 5))
    votes = random.integers(3, 8, N)
    observed = draw_fractions(predicted, votes, random)
    truth = QTable({"id": [f"galaxy {i}" for i in range(N)], "n_votes": votes})
    truth["H"] = random.uniform(18, 25, N) * u.mag
    truth["field"] = random.choice(["GOODS-S", "UDS", "COSMOS"], N)
    predictions = QTable({"id": truth["id"]})
    for i, name in enumerate(CANDELS.outputs):
        truth[name] = observed[:, i]
        predictions[name] = predicted[:, i]
        predictions[f"{name}_err"] = np.full(N, 0.15)
    predictions.meta["galmorph"] = {"model": "toy <b>", "outputs": CANDELS.outputs}
    return truth, predictions


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(*tables(), n_votes="n_votes", bins_by="H", n_samples=20)


class Page(HTMLParser):
    """What is in a page: its words, its tags and its links."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.sources, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_every_table_has_its_rows(evaluation):
    assert evaluation.metrics["output"].tolist() == [*CANDELS.outputs, "all"]
    assert evaluation.agreement["output"].tolist() == list(CANDELS.outputs)
    assert len(evaluation.bins["H"]) == 6 * 8
    assert len(evaluation.by_fraction) == 6 * 10
    assert len(evaluation.galaxies) == N
    assert evaluation.galaxies["id"][7] == "galaxy 7"
    counts = [evaluation.confusion[name] for name in evaluation.confusion.colnames[1:]]
    assert np.sum(counts) == N == evaluation.classes["n_true"].sum()


def test_result_is_told_in_a_few_words(evaluation):
    assert repr(evaluation).startswith("<Evaluation: 300 galaxies, 5 outputs. RMSE")


def test_every_column_is_described(evaluation):
    for name, table in evaluation.tables().items():
        for column in table.colnames:
            if column != "id":
                assert table[column].info.description, f"{name}: {column}"


def test_a_perfect_model_is_told_as_one(evaluation):
    metrics = evaluation.metrics
    off = (metrics["rmse"] - metrics["rmse_floor"]) / metrics["rmse_err"]
    assert np.abs(off).max() < 4
    wrong = evaluation.misclassification
    off = (wrong["rate"] - wrong["rate_perfect"]) / wrong["rate_err"]
    assert np.abs(off).max() < 4


def test_rmse_of_a_galaxy_is_over_its_outputs(evaluation):
    truth, predictions = tables()
    square = [(predictions[n][3] - truth[n][3]) ** 2 for n in CANDELS.outputs]
    assert evaluation.galaxies["rmse"][3] == pytest.approx(np.sqrt(np.mean(square)))


def test_arrays_are_taken_as_well_as_tables():
    truth, predictions = tables()
    arrays = [np.stack([t[n] for n in CANDELS.outputs], 1) for t in tables()]
    found = evaluate(
        *arrays,
        errors=np.full((N, 5), 0.15),
        n_votes=np.asarray(truth["n_votes"]),
        bins_by={"H": truth["H"].value},
        groups=truth["field"],
        n_samples=10,
    )
    same = evaluate(
        truth,
        predictions,
        n_votes="n_votes",
        bins_by=["H"],
        groups="field",
        n_samples=10,
    )
    # labels of a table are in single precision
    for name, table in same.tables().items():
        for column in set(table.colnames) - {"id"}:
            if table[column].dtype.kind == "f":
                left = np.asarray(getattr(table[column], "value", table[column]))
                right = np.asarray(found.tables()[name][column])
                np.testing.assert_allclose(left, right, atol=2e-6, err_msg=name)


def test_masked_labels_and_magnitudes_are_left_out():
    truth = Table({"f_bar": MaskedColumn([0.0, 1.0, 0.5], mask=[False, False, True])})
    truth["mag"] = MaskedColumn([20.0, 21.0, 22.0], mask=[True, False, False])
    predictions = Table({"f_bar": [0.1, 0.8, 0.9]})
    found = evaluate(truth, predictions, scheme=BARS, bins_by="mag", n_samples=5)
    assert found.metrics["n"].tolist() == [2, 2]
    assert found.bins["mag"]["n"].sum() == 2  # one for the output, one for all
    assert found.coverage is None and "coverage" not in found.tables()


def test_no_galaxies_and_one_galaxy_make_tables(tmp_path):
    for n in (0, 1):
        table = Table({"f_bar": np.zeros(n)})
        found = evaluate(table, table, scheme=BARS, n_votes=3, n_samples=5)
        assert found.metrics["n"].tolist() == [n, n]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_votes": "people"}, "n_votes: there is no column 'people'; found id"),
        ({"bins_by": "field"}, "bins_by 'field': expected numbers, found such as"),
        ({"bins_by": ["H", "K"]}, "bins_by 'K': there is no column 'K'"),
        ({"groups": [1, 2]}, "groups: expected one for each of the 300 galaxies"),
        ({"errors": np.ones((N, 2))}, "errors: expected the shape"),
    ],
)
def test_what_does_not_fit_is_told(options, words):
    with pytest.raises(ConfigurationError, match=words):
        evaluate(*tables(), n_samples=2, **options)


def test_tables_of_different_length_are_refused():
    truth, predictions = tables()
    with pytest.raises(ConfigurationError, match="as many rows"):
        evaluate(truth[:5], predictions)


def test_folder_has_tables_figures_and_a_page(evaluation, tmp_path):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "runs" / "toy"
    page = evaluation.write(folder)
    assert page == folder / "index.html"
    names = {path.name for path in folder.iterdir()}
    for name in evaluation.tables():
        assert f"{name}.ecsv" in names
    for name in ("density", "reliability", "coverage", "by_H", "confusion"):
        assert f"{name}.png" in names
    metrics = read_table(folder / "metrics.ecsv")
    assert metrics["rmse"].tolist() == evaluation.metrics["rmse"].tolist()
    assert metrics["rmse_floor"].info.description.startswith("RMSE that the noise")


def test_page_is_whole_and_needs_nothing_else(evaluation, tmp_path):
    pytest.importorskip("matplotlib")
    page = Page(evaluation.write(tmp_path).read_text(encoding="utf-8"))
    assert not page.open  # every tag is closed, in order
    assert page.tags.count("img") == len(evaluation.figures()) == 7
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    text = " ".join(page.words)
    assert "Evaluation of toy <b>" in text  # as words, not as a tag
    row = evaluation.metrics[-1]
    assert f"{row['rmse']:.3f} ± {row['rmse_err']:.3f}" in text
    assert "H [mag]" not in text and "in bins of H" in text


def test_page_without_votes_and_errors_does_not_mention_them(tmp_path):
    pytest.importorskip("matplotlib")
    random = np.random.default_rng(1)
    truth = random.uniform(size=(50, 1))
    found = evaluate(truth, truth, scheme=BARS, n_samples=5)
    text = found.write(tmp_path).read_text(encoding="utf-8")
    assert "perfect</b>" not in text and "Coverage" not in text


def test_files_of_others_are_not_replaced_unless_asked(evaluation, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite"):
        evaluation.write(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    evaluation.write(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_matplotlib_is_loaded_for_figures_only():
    code = (
        "import sys, numpy as np, galmorph.evaluation as e;"
        "e.evaluate(np.zeros((9, 5)), np.zeros((9, 5)), n_samples=2);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Everything that can be said about a set of predictions, in one call.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import QTable, Table

from galmorph.core import ConfigurationError, LabelScheme, get_scheme, import_optional
from galmorph.evaluation._columns import describe_columns
from galmorph.evaluation.agreement import agreement_table
from galmorph.evaluation.bins import binned_metrics
from galmorph.evaluation.classes import (
    class_names,
    class_table,
    confusion_table,
    misclassification_table,
)
from galmorph.evaluation.metrics import metrics_table, rmse
from galmorph.evaluation.page import html_page, summary
from galmorph.evaluation.reliability import coverage_table, reliability_table
from galmorph.evaluation.selection import selection_table
from galmorph.tables import dominant_class, write_table

__all__ = ["Evaluation", "evaluate"]

PAGE = "index.html"


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation:
    """
    What `evaluate` found.

    Parameters
    ----------
    scheme : `~galmorph.core.LabelScheme`
        Names the outputs.
    truth, predicted : `~numpy.ndarray`
        The fractions that were compared, shape (n, outputs).
    metrics : `~astropy.table.QTable`
        See `metrics_table`.
    agreement : `~astropy.table.QTable`
        See `agreement_table`.
    reliability : `~astropy.table.QTable`
        See `reliability_table`.
    coverage : `~astropy.table.QTable` or `None`
        See `coverage_table`; `None` where the predictions have no errors.
    by_fraction : `~astropy.table.QTable`
        See `binned_metrics`, in bins of the true fraction.
    bins : dict
        Tables of `binned_metrics`, by the name of what the bins are of.
    misclassification : `~astropy.table.QTable`
        See `misclassification_table`.
    classes : `~astropy.table.QTable`
        See `class_table`.
    confusion : `~astropy.table.QTable`
        See `confusion_table`.
    selection : `~astropy.table.QTable`
        See `selection_table`.
    galaxies : `~astropy.table.QTable`
        ``id`` or ``row``, ``rmse``, true and predicted class of each galaxy.
    model : str, optional
        Name of the model that predicted.
    """

    scheme: LabelScheme
    truth: np.ndarray
    predicted: np.ndarray
    metrics: QTable
    agreement: QTable
    reliability: QTable
    coverage: QTable | None
    by_fraction: QTable
    bins: dict
    misclassification: QTable
    classes: QTable
    confusion: QTable
    selection: QTable
    galaxies: QTable
    model: str = ""

    def __repr__(self):
        return f"<Evaluation: {summary(self)}>"

    def tables(self):
        """
        All tables, by the name of their file.

        Returns
        -------
        tables : dict
        """
        tables = {
            "metrics": self.metrics,
            "agreement": self.agreement,
            "reliability": self.reliability,
            "coverage": self.coverage,
            "by_fraction": self.by_fraction,
            **{f"by_{_file_name(name)}": table for name, table in self.bins.items()},
            "misclassification": self.misclassification,
            "classes": self.classes,
            "confusion": self.confusion,
            "selection": self.selection,
            "galaxies": self.galaxies,
        }
        return {name: table for name, table in tables.items() if table is not None}

    def figures(self):
        """
        Draw all figures.

        Returns
        -------
        figures : dict
            A `~matplotlib.figure.Figure` for each name of a file.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        from galmorph import visualization as draw

        figures = {
            "density": draw.density_figure(self.truth, self.predicted, self.scheme),
            "reliability": draw.reliability_figure(self.reliability),
            "by_fraction": draw.bins_figure(self.by_fraction),
        }
        if self.coverage is not None:
            figures["coverage"] = draw.coverage_figure(self.coverage)
        for name, table in self.bins.items():
            figures[f"by_{_file_name(name)}"] = draw.bins_figure(table, name)
        figures["confusion"] = draw.confusion_figure(self.confusion)
        figures["selection"] = draw.selection_figure(self.selection)
        return figures

    def write(self, folder, overwrite=False):
        """
        Write the tables, the figures, and one page with everything.

        Parameters
        ----------
        folder : path-like
            Made if it is not there. Tables become ECSV, figures PNG; the page
            ``index.html`` holds both and can be sent by itself.
        overwrite : bool, optional
            Whether the folder may have files in it.

        Returns
        -------
        page : `~pathlib.Path`

        Raises
        ------
        FileExistsError
            If the folder is not empty and ``overwrite`` is `False`.
        MissingDependencyError
            If matplotlib is not installed; nothing is written then.
        """
        import_optional("matplotlib", "plot")
        folder = Path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise FileExistsError(
                f"{folder}: the folder is not empty; give overwrite=True to write there"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables().items():
            write_table(table, folder / f"{name}.ecsv", overwrite=True)
        figures = {}
        for name, figure in self.figures().items():
            figure.savefig(folder / f"{name}.png", dpi=130)
            figures[name] = (folder / f"{name}.png").read_bytes()
        page = folder / PAGE
        page.write_text(html_page(self, figures), encoding="utf-8")
        return page


def evaluate(
    truth,
    predictions,
    *,
    scheme="candels",
    errors=None,
    n_votes=None,
    bins_by=(),
    groups=None,
    threshold=0.5,
    n_samples=200,
    seed=0,
):
    """
    Compare predicted fractions with true ones in every way.

    Parameters
    ----------
    truth : `~astropy.table.Table` or array_like
        Fractions of votes: a table with a column for each output, or an array
        of shape (n, outputs). What is masked or NaN is left out.
    predictions : `~astropy.table.Table` or array_like
        The same galaxies in the same order, as `~galmorph.MorphologyClassifier`
        gives them.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    errors : array_like, optional
        Errors of the predictions, shape (n, outputs). By default the columns
        ``<output>_err`` of the predictions, where they are there.
    n_votes : int, array_like or str, optional
        Number of people who classified each galaxy, or the name of a column of
        either table. With it, what the noise of the votes leaves even to a
        perfect model is beside each number.
    bins_by : str, sequence of str, or dict, optional
        Names of columns of either table, such as a magnitude, in bins of which
        bias and scatter are given; or a dictionary of names and values.
    groups : array_like or str, optional
        To which group each galaxy belongs, such as its field, or the name of a
        column of either table: the bootstrap then draws groups.
    threshold : float, optional
        A galaxy is of a class if its true fraction is above this; for AUC,
        completeness and purity of each output.
    n_samples, seed : int, optional
        Number of bootstrap resamplings for the errors, and their seed.

    Returns
    -------
    evaluation : `Evaluation`

    Raises
    ------
    ConfigurationError
        If a column is missing, or if lengths or shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import evaluate
    >>> random = np.random.default_rng(1)
    >>> truth = QTable({"f_bar": random.uniform(size=500)})
    >>> predictions = QTable({"f_bar": truth["f_bar"] + random.normal(0, 0.1, 500)})
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> evaluation = evaluate(truth, predictions, scheme=bars)
    >>> round(float(evaluation.metrics["rmse"][0]), 1)
    0.1
    """
    scheme = get_scheme(scheme)
    tables = [data for data in (truth, predictions) if isinstance(data, Table)]
    true, predicted = _fractions(truth, scheme), _fractions(predictions, scheme)
    if true.shape != predicted.shape or true.shape[1:] != (scheme.n_outputs,):
        raise ConfigurationError(
            f"truth, predictions: expected as many rows, of {scheme.n_outputs}"
            f" outputs; found the shapes {true.shape} and {predicted.shape}"
        )
    if errors is None:
        errors = _errors(predictions, scheme)
    common = {
        "groups": None if groups is None else _values(groups, tables, "groups"),
        "n_samples": n_samples,
        "seed": seed,
    }
    if common["groups"] is not None and len(common["groups"]) != len(true):
        raise ConfigurationError(
            f"groups: expected one for each of the {len(true)} galaxies; found"
            f" {len(common['groups'])}"
        )
    votes = None if n_votes is None else _numbers(n_votes, tables, "n_votes")
    both, noisy = (true, predicted), {"n_votes": votes, **common}
    bins = {
        name: binned_metrics(*both, values, scheme, **noisy)
        for name, values in _bins(bins_by, tables).items()
    }
    classes = [dominant_class(fractions, scheme) for fractions in both]
    return Evaluation(
        scheme=scheme,
        truth=true,
        predicted=predicted,
        metrics=metrics_table(*both, scheme, **noisy),
        agreement=agreement_table(*both, scheme, threshold=threshold, **noisy),
        reliability=reliability_table(*both, scheme, **common),
        coverage=(
            None
            if errors is None
            else coverage_table(*both, np.asarray(errors, float), scheme, **noisy)
        ),
        by_fraction=binned_metrics(*both, None, scheme, **noisy),
        bins=bins,
        misclassification=misclassification_table(*both, scheme, **noisy),
        classes=class_table(*both, scheme, **noisy),
        confusion=confusion_table(*classes, class_names(scheme)),
        selection=selection_table(*both, scheme, threshold=threshold, **noisy),
        galaxies=_galaxies(*both, *classes, tables),
        model=_model_name(predictions),
    )


def _fractions(data, scheme):
    if isinstance(data, Table):
        return np.asarray(scheme.labels(data), float)
    return np.ma.filled(np.ma.asarray(data, dtype=float), np.nan)


def _errors(predictions, scheme):
    """Columns of errors, NaN where one is missing; `None` where all are."""
    if not isinstance(predictions, Table):
        return None
    found = [name for name in scheme.error_columns if name in predictions.colnames]
    if not found:
        return None
    errors = np.full((len(predictions), scheme.n_outputs), np.nan)
    for i, name in enumerate(scheme.error_columns):
        if name in found:
            errors[:, i] = _plain(predictions[name])
    return errors


def _plain(column):
    """A column as numbers without unit; NaN where it is masked."""
    mask = getattr(column, "mask", None)
    column = getattr(column, "unmasked", column)
    values = np.array(getattr(column, "value", column), dtype=float)
    if mask is not None:
        values[np.broadcast_to(mask, values.shape)] = np.nan
    return values


def _values(given, tables, argument):
    """What was given, or the column that it names."""
    if not isinstance(given, str):
        return given
    for table in tables:
        if given in table.colnames:
            return table[given]
    found = [name for table in tables for name in table.colnames]
    raise ConfigurationError(
        f"{argument}: there is no column {given!r}; found {', '.join(found) or 'none'}"
    )


def _numbers(given, tables, argument):
    """Values as numbers, with their unit if they have one."""
    values = _values(given, tables, argument)
    try:
        numbers = _plain(values)
    except (TypeError, ValueError):
        example = np.ravel(values)[:1].tolist()
        raise ConfigurationError(
            f"{argument}: expected numbers, found such as {example}"
        ) from None
    unit = getattr(values, "unit", None)
    # bins of the logarithmic Magnitude are bins of its numbers
    return numbers if unit is None or hasattr(unit, "physical_unit") else numbers * unit


def _bins(bins_by, tables):
    if isinstance(bins_by, str):
        bins_by = (bins_by,)
    if not hasattr(bins_by, "items"):
        bins_by = {name: name for name in bins_by}
    return {
        str(name): _numbers(given, tables, f"bins_by {name!r}")
        for name, given in bins_by.items()
    }


def _galaxies(true, predicted, true_class, predicted_class, tables):
    ids = [table["id"] for table in tables if "id" in table.colnames]
    table = QTable()
    if ids:
        table["id"] = ids[0]
    else:
        table["row"] = np.arange(len(true))
    table["rmse"] = rmse(true, predicted, axis=1)
    table["true_class"] = true_class
    table["predicted_class"] = predicted_class
    return describe_columns(table)


def _model_name(predictions):
    meta = getattr(predictions, "meta", None) or {}
    model = meta.get("galmorph", {}).get("model", "")
    return str(model.get("name", "") if isinstance(model, dict) else model)


def _file_name(name):
    return re.sub(r"\W+", "_", name).strip("_") or "values"

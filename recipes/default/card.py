# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The model card, with the figures of the development sets.
"""

from pathlib import Path
from string import Template

import numpy as np

from galmorph.tables import read_table

__all__ = ["model_card", "volunteers_card"]

_HERE = Path(__file__).parent
# sets and figures that the card shows; the rest is in the report
_SHOWN = {
    "SDSS": (
        "AUC elliptical against spiral and edge-on, f_spheroid",
        "AUC spiral and edge-on against elliptical, f_disk",
        "AUC merger against elliptical, spiral and edge-on, f_irregular",
    ),
    "GZ CEERS": (
        "Spearman f_irregular, merger",
        "Spearman f_spheroid, smooth",
        "Spearman f_disk - f_spheroid, featured - smooth",
    ),
    "CANDELS F160W": ("RMSE", "bias"),
    "point sources": (
        "AUC stars and compact sources against galaxies",
        "AUC the same",
        "AUC star",
    ),
    "deep fields": ("the star of hst_deep_500: f_point_source",),
    "simulated F160W": ("pooled RMSE", "bias", "share within"),
    "simulated, other cameras": ("pooled RMSE", "bias"),
    "simulated F160W, pictures": ("pooled RMSE", "bias"),
}

# what each model is, and what its figures are of
_TEXTS = {
    "default": {
        "what": "The default model: a network of $parameters weights",
        "judged": (
            "It has seen all of the real galaxies but a twentieth, which its training"
            " was watched with. The figures of SDSS and GZ CEERS below are those of"
            " networks made in the same way, each of which had not seen the fifth of"
            " the galaxies on which it is judged (folds $folds of five); all other"
            " figures are its own."
        ),
    },
    "ensemble": {
        "what": (
            "The mean of $networks networks of $parameters weights each: that of the"
            " default model, and those that had not seen a fifth of the real galaxies."
            " They start from $firsts networks that have seen no real galaxy, and take"
            " $networks times as long as the one"
        ),
        "judged": (
            "Most of its networks have seen any of the real galaxies, so that the"
            " figures of SDSS and GZ CEERS below are those of single ones, each on the"
            " fifth of the galaxies that it had not seen (folds $folds of five); all"
            " other figures are those of the ensemble."
        ),
    },
}

BASELINE = "statmorph and random forest"
"""How ``benchmarks/development`` heads the baseline's columns."""

_BASELINE = """\
The same beside a baseline, on those of the galaxies that it has measured: a random \
forest on statmorph's parameters (concentration, asymmetry, smoothness, Gini, M20, \
Sersic index and more; Rodriguez-Gomez et al. 2019, MNRAS 483, 4140), trained with \
$n_baseline simulated galaxies, half of them as pictures \
(`benchmarks/development/measure_baseline.py`).

"""


def model_card(values, label, report):
    """
    Fill in the card.

    Parameters
    ----------
    values : dict
        What its template asks for, but the tables.
    label : str
        Name of the model in the report, ``"default"`` or ``"ensemble"``.
    report : path-like
        Folder that ``benchmarks/development`` has written.

    Returns
    -------
    card : str
    """
    rows = [
        [
            row["set"],
            row["figure"],
            row["aim"],
            _value(row, label),
            row[f"{label}: n"],
        ]
        for row in _shown(Path(report) / "figures.ecsv", label)
    ]
    alarms = read_table(Path(report) / "alarms.ecsv")
    told = [
        [row["kind"], row["n"], f"{row['alarms']:.2f}"]
        for row in alarms
        if row["model"] == label
    ]
    texts = {
        key: Template(text).substitute(values) for key, text in _TEXTS[label].items()
    }
    return _filled(
        "card.md",
        values,
        **texts,
        figures=_table(["set", "figure", "aim", "value", "galaxies"], rows),
        baseline=_beside_baseline(label, Path(report) / "with-baseline.ecsv", values),
        alarms=_table(["images", "n", "alarms"], told),
    )


def volunteers_card(values, report):
    """
    Fill in the card of the model of the volunteers' votes.

    Parameters
    ----------
    values : dict
        As of `model_card`.
    report : path-like
        Folder that `volunteers.volunteers` has written.

    Returns
    -------
    card : str
    """
    heads = ["output", "galaxies", "RMSE", "RMSE of always the mean"]
    heads += ["noise of the votes", "Spearman", "within 1 error", "within 1.96"]
    rows = [
        [
            row["output"],
            row["n"],
            f"{row['rmse']:.3f} +- {row['rmse_err']:.3f}",
            f"{row['rmse_mean']:.3f}",
            f"{row['rmse_floor']:.3f}",
            f"{row['spearman']:.3f} +- {row['spearman_err']:.3f}",
            f"{row['within_1']:.2f}",
            f"{row['within_1.96']:.2f}",
        ]
        for row in read_table(Path(report) / "figures.ecsv")
    ]
    rows[-1][5] = "-"
    return _filled("volunteers.md", values, figures=_table(heads, rows))


def _filled(template, values, **more):
    text = (_HERE / template).read_text(encoding="utf-8")
    return Template(text).substitute(values, **more)


def _beside_baseline(label, path, values):
    """Table of the galaxies that the baseline has measured."""
    if not path.exists():
        return (
            "The baseline, a random forest on statmorph's parameters, was not measured"
            " with this run; the documentation has its figures beside models before."
        )
    rows = [
        [
            row["set"],
            row["figure"],
            _value(row, label),
            _value(row, BASELINE),
            row[f"{label}: n"],
        ]
        for row in _shown(path, label, BASELINE)
    ]
    told = Template(_BASELINE).substitute(values)
    return told + _table(["set", "figure", "model", "baseline", "galaxies"], rows)


def _shown(path, *labels):
    """The figures for the card that are known of all these models."""
    for row in read_table(path):
        values = [row[f"{label}: value"] for label in labels]
        titles = _SHOWN.get(row["set"], ("-",))
        if row["figure"].startswith(titles) and np.isfinite(values).all():
            yield row


def _value(row, label):
    value, error = row[f"{label}: value"], row[f"{label}: error"]
    return f"{value:.3f}" + (f" +- {error:.3f}" if np.isfinite(error) else "")


def _table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)

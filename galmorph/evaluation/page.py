# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
An evaluation as one HTML page that needs no other file.
"""

import base64
from html import escape

import numpy as np

from galmorph import __version__

__all__ = ["html_page"]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem;
     border-bottom: 1px solid #d5d8de; padding-bottom: .2rem; }
p { max-width: 46rem; }
table { border-collapse: collapse; font-size: .82rem; margin: .8rem 0;
        font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #8a8f99; font-weight: 600; vertical-align: bottom;
     white-space: normal; max-width: 7rem; }
th:first-child, td:first-child { text-align: left; }
tr:nth-child(even) td { background: #f6f7f9; }
.wide { overflow-x: auto; } small { color: #6a6f79; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
summary { cursor: pointer; color: #0072b2; }
"""

SECTIONS = (
    (
        "Fractions",
        "Difference of predicted and true fractions, for each output and pooled. Errors"
        " are by bootstrap. <b>rmse mean</b>: of always predicting the mean."
        " <b>rmse floor</b>: what the noise of the votes leaves to the best model.",
        ("metrics",),
        ("density",),
        (),
    ),
    (
        "Calibration of the fractions",
        "Mean truth of galaxies with about the same prediction. <b>slope</b>: of the"
        " truth against the prediction, 1 if calibrated. <b>spearman</b>: rank"
        " correlation. <b>auc</b>: chance that a galaxy of the class is predicted above"
        " one that is not of it; always predicting the mean gives 0.5.",
        ("agreement",),
        ("reliability",),
        ("reliability",),
    ),
    (
        "Coverage of the errors",
        "Share of truths within the error of the prediction, and within twice that;"
        " 68 % and 95 % where differences are normal and errors right. The pull is the"
        " difference in units of the error; its standard deviation (<b>pull std</b>) is"
        " above 1 where errors are too small.",
        ("coverage",),
        ("coverage",),
        (),
    ),
    (
        "Bias and scatter in bins of the true fraction",
        "Votes of few people scatter about their probability. In bins of the votes,"
        " even a perfect model therefore looks biased towards the mean.",
        (),
        ("by_fraction",),
        ("by_fraction",),
    ),
)
CLASSES = (
    (
        "Dominant classes",
        "<b>rate</b>: share of galaxies with another dominant class than the true one;"
        " <b>clear</b> are those that are ambiguous neither by truth nor by prediction."
        " <b>completeness</b>: share of a class that is found; <b>purity</b>: share of"
        " those found that are of it; <b>share</b>: purity of a blind choice.",
        ("misclassification", "classes"),
        ("confusion",),
        ("confusion",),
    ),
    (
        "Samples by a cut on the predicted fraction",
        "Completeness and purity of the galaxies above the cut. A galaxy is of the"
        " class if its true fraction is above the threshold.",
        (),
        ("selection",),
        ("selection",),
    ),
)


def html_page(evaluation, figures):
    """
    Make the page.

    Parameters
    ----------
    evaluation : `~galmorph.evaluation.Evaluation`
    figures : dict
        Content of a PNG file for each name of a figure.

    Returns
    -------
    page : str
        HTML with the figures in it.
    """
    tables = evaluation.tables()
    bins = [name for name in tables if name.startswith("by_") and name != "by_fraction"]
    sections = [
        *SECTIONS,
        *(
            (
                f"Bias and scatter in bins of {escape(name)}",
                "Bins hold equal numbers of galaxies.",
                (),
                (key,),
                (key,),
            )
            for name, key in zip(evaluation.bins, bins, strict=True)
        ),
        *CLASSES,
    ]
    title = "Evaluation" + (f" of {evaluation.model}" if evaluation.model else "")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(summary(evaluation))}</p>",
    ]
    if "rmse_floor" in evaluation.metrics.colnames:
        parts.append(
            "<p><b>… perfect</b>, and dashes and circles in the figures: what would be"
            " found if the predictions were exactly the probabilities of the votes, so"
            " that only the noise of the votes remained.</p>"
        )
    for heading, words, shown, drawn, hidden in sections:
        if not any(name in tables for name in (*shown, *drawn)):
            continue
        parts.append(f"<h2>{heading}</h2><p>{words}</p>")
        parts += [html_table(tables[name]) for name in shown if name in tables]
        parts += [_image(name, figures[name]) for name in drawn if name in figures]
        for name in hidden:
            parts.append(
                f"<details><summary>Table</summary>{html_table(tables[name])}</details>"
            )
    parts += _worst(evaluation.galaxies)
    parts.append(f"<p><small>galmorph {escape(__version__)}</small></p></body></html>")
    return "\n".join(parts)


def summary(evaluation):
    """
    The result in a few sentences.

    Parameters
    ----------
    evaluation : `~galmorph.evaluation.Evaluation`

    Returns
    -------
    text : str
    """
    row, wrong = evaluation.metrics[-1], evaluation.misclassification[0]
    text = (
        f"{row['n']} galaxies, {evaluation.scheme.n_outputs} outputs. RMSE of all"
        f" fractions {_value(row, 'rmse')}; always predicting the mean gives"
        f" {row['rmse_mean']:.3f}"
    )
    if "rmse_floor" in row.colnames:
        text += f", and the noise of the votes alone {row['rmse_floor']:.3f}"
    rate = 100 * wrong["rate"], 100 * wrong["rate_err"]
    return (
        f"{text}. Bias {_value(row, 'bias')}, scatter {_value(row, 'scatter')}."
        f" The dominant class is not the true one for {rate[0]:.1f} ± {rate[1]:.1f} %"
        f" of {wrong['n']} galaxies; always naming the commonest class misses"
        f" {100 * wrong['rate_commonest']:.1f} %."
    )


def html_table(table):
    """
    A table with every value and its error in one cell.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    html : str
    """
    names = [
        name
        for name in table.colnames
        if not (name.endswith("_err") and name.removesuffix("_err") in table.colnames)
    ]
    heads = "".join(
        f'<th title="{escape(table[name].info.description or "")}">'
        f"{escape(_head(table, name))}</th>"
        for name in names
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(_value(row, name))}</td>" for name in names)
        + "</tr>"
        for row in table
    )
    return f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>'


def _head(table, name):
    unit = str(getattr(table[name], "unit", None) or "")
    return name.replace("_", " ") + (f" [{unit}]" if unit else "")


def _value(row, name):
    value = row[name]
    value = getattr(value, "value", value)
    if not isinstance(value, (float, np.floating)):
        return str(value)
    if not np.isfinite(value):
        return "–"
    text = f"{value:.3f}"
    error = row[f"{name}_err"] if f"{name}_err" in row.colnames else np.nan
    return f"{text} ± {error:.3f}" if np.isfinite(error) else text


def _image(name, content):
    data = base64.b64encode(content).decode("ascii")
    alt = escape(name.replace("_", " "))
    return f'<img alt="{alt}" src="data:image/png;base64,{data}">'


def _worst(galaxies):
    errors = np.asarray(galaxies["rmse"], float)
    known = np.isfinite(errors)
    if not known.any():
        return []
    median, most, nearly_all = np.quantile(errors[known], (0.5, 0.9, 0.99))
    worst = np.argsort(np.where(known, -errors, np.inf), kind="stable")[:10]
    return [
        "<h2>Single galaxies</h2>",
        f"<p>RMSE over the outputs of one galaxy: half of the galaxies are below"
        f" {median:.3f}, 90 % below {most:.3f}, 99 % below {nearly_all:.3f}. The"
        " worst are:</p>",
        html_table(galaxies[worst[: known.sum()]]),
    ]

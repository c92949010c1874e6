# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The card of a model: what it was made from and how good it is.
"""

__all__ = ["model_card"]

_LOSSES = {"mse": "Mean squared error", "binomial": "Binomial likelihood of the votes"}


def model_card(settings, metrics, scheme):
    """
    Write the card of a trained model.

    Parameters
    ----------
    settings : dict
        All settings of the run, as in its ``config.json``.
    metrics : dict
        Scores and figures of the run, as in its ``metrics.json``.
    scheme : `~galmorph.core.LabelScheme`
        What the outputs mean.

    Returns
    -------
    card : str
        In Markdown.
    """
    model, training = settings["model"], settings["training"]
    galaxies = metrics["galaxies"]
    lines = [
        f"# {model['name']}",
        "",
        *([model["description"], ""] if model["description"] else []),
        "## What it predicts",
        "",
        *(f"- `{output}`: {scheme.describe(output)}" for output in scheme.outputs),
        "",
        *([f"Scheme: {scheme.reference}", ""] if scheme.reference else []),
        "## What it was trained with",
        "",
        _data(settings["data"]),
        _division(galaxies, training),
        "",
        "## How",
        "",
        f"Network `{model['architecture']}` {_options(model['options'])}with"
        f" {metrics['parameters']:,} parameters, on stamps of"
        f" {settings['preprocessing']['shape']} pixels"
        f" ({_size_rule(settings['preprocessing'])}). {_LOSSES[training['loss']]},"
        f" {training['optimizer']} with a learning rate of"
        f" {training['learning_rate']:g} ({training['schedule']}), batches of"
        f" {training['batch_size']}, seed {training['seed']}. The weights are those"
        f" of epoch {_list(metrics['best_epoch'])} of {_list(metrics['epochs'])}.",
        "",
        f"Augmentation: {_plain(settings['augmentation'])}.",
        "",
        "## How good it is",
        "",
        _how_scored(metrics) + " Errors of the RMSE by bootstrap over the galaxies.",
        "",
        "| output | n | RMSE | bias | scatter | RMSE of always the mean |",
        "|---|---|---|---|---|---|",
        *(_row(output, row) for output, row in _scores(metrics).items()),
        "",
        "## Limits",
        "",
        *_limits(settings["data"]),
        "",
    ]
    return "\n".join(lines)


def _division(galaxies, training):
    if training["folds"]:
        first = (
            f"{galaxies['training']} galaxies in {training['members']} parts; each"
            " network was trained with all but one of them, which chose the epoch and"
            " calibrated the errors"
        )
    else:
        first = (
            f"{galaxies['training']} galaxies to train with, {galaxies['validation']}"
            " to choose the epoch and calibrate the errors"
        )
    return (
        f"{first}; {galaxies['test']} galaxies to score. Divided by galaxy, with the"
        " same mixture of classes in each part."
    )


def _scores(metrics):
    return metrics["test"] if "test" in metrics else metrics["validation"]


def _how_scored(metrics):
    n = _scores(metrics)["all"]["n"]
    members = metrics["members"]
    by = "" if members == 1 else f" Fractions are means of {members} networks."
    if "test" in metrics:
        return (
            f"Scored once, on {n} galaxies of the same kind that were not used for"
            f" anything else.{by}"
        )
    return (
        f"Scored on {n} galaxies, each by the networks that were not trained with it;"
        " they chose the epoch, so that the scores are a little too good."
    )


def _row(output, row):
    def number(name):
        return "" if row[name] is None else f"{row[name]:.3f}"

    return (
        f"| {output} | {row['n']} | {number('rmse')} +- {number('rmse_err')} |"
        f" {number('bias')} | {number('scatter')} | {number('rmse_mean')} |"
    )


def _data(data):
    others = {key: value for key, value in data.items() if key != "sha256"}
    if others.pop("source") == "simulation":
        kind = "Galaxies simulated with GalSim, with fractions of simulated votes"
    else:
        kind = "Labelled stamps"
    more = f" ({_plain(others)})" if others else ""
    return f"{kind}{more}; SHA-256 of stamps and labels {data['sha256']}."


def _options(options):
    return f"({_plain(options)}) " if options else ""


def _list(numbers):
    return ", ".join(str(number) for number in numbers)


def _size_rule(preprocessing):
    if preprocessing["size_rule"] == "petrosian":
        return f"{preprocessing['size_factor']:g} Petrosian radii across"
    return f"{preprocessing['fixed_size']:g} arcsec across"


def _plain(values):
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _limits(data):
    lines = [
        "- The errors that it predicts were calibrated on galaxies like those of its"
        " training; on other images they are too small.",
    ]
    if data["source"] == "simulation":
        lines += [
            "- It has not seen a real image. Its scores hold for simulated galaxies;"
            " on real ones it is worse.",
            "- Its labels are expected fractions, without the noise of few votes:"
            " against real votes of 3 to 7 people even the truth has an RMSE of 0.1"
            " to 0.18.",
        ]
    return lines

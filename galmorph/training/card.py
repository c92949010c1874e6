# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The card of a model: what it was made from and how good it is.
"""

__all__ = ["model_card"]


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
        f"{galaxies['training']} galaxies to train with, {galaxies['validation']} to"
        f" choose the epoch and calibrate the errors, {galaxies['test']} to score;"
        " divided by galaxy, with the same mixture of classes in each part.",
        "",
        "## How",
        "",
        f"Network `{model['architecture']}` {_options(model['options'])}with"
        f" {metrics['parameters']:,} parameters, on stamps of"
        f" {settings['preprocessing']['shape']} pixels"
        f" ({_size_rule(settings['preprocessing'])}). Mean squared error,"
        f" {training['optimizer']} with a learning rate of"
        f" {training['learning_rate']:g} ({training['schedule']}), batches of"
        f" {training['batch_size']}, seed {training['seed']}. The weights are those"
        f" of epoch {_list(metrics['best_epoch'])} of {_list(metrics['epochs'])}.",
        "",
        f"Augmentation: {_plain(settings['augmentation'])}.",
        "",
        "## How good it is",
        "",
        f"Scored once, on {metrics['test']['all']['n']} galaxies of the same kind that"
        " were not used for anything else; errors of the RMSE by bootstrap over the"
        " galaxies, one training run.",
        "",
        "| output | n | RMSE | bias | scatter | RMSE of always the mean |",
        "|---|---|---|---|---|---|",
        *(_row(output, row) for output, row in metrics["test"].items()),
        "",
        "## Limits",
        "",
        *_limits(settings["data"]),
        "",
    ]
    return "\n".join(lines)


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

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a run writes down: its settings, history and scores.
"""

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable

import galmorph
from galmorph.core import ConfigurationError, MissingDependencyError

__all__ = [
    "check_is_free",
    "draw_history",
    "history_table",
    "open_folder",
    "predictions_table",
    "progress_line",
    "run_metrics",
    "write_arrays",
    "write_json",
]

_CONFIG = "config.json"


def check_is_free(folder, resume):
    """Refuse a folder that has a run, unless it is to be resumed."""
    if (folder / _CONFIG).exists() and not resume:
        raise ConfigurationError(
            f"out: there is a run in {folder}; resume it, or give another folder"
        )


def open_folder(folder, settings, resume):
    """Write the settings, or check that the run to resume has the same."""
    path = folder / _CONFIG
    check_is_free(folder, resume)
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        expected = json.loads(json.dumps(settings))
        other = [
            f"{section}.{key}"
            for section, values in expected.items()
            for key in sorted(set(values) | set(found.get(section, {})))
            if values.get(key) != found.get(section, {}).get(key)
        ]
        if other:
            raise ConfigurationError(
                f"resume: the run in {folder} has other settings: {', '.join(other)}"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {**settings, "versions": _versions()})


def _git_version():
    """The commit of the sources, where galmorph is run from them."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    root = Path(galmorph.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        ended = subprocess.run(command, cwd=root, capture_output=True, text=True)
    except OSError:
        return None
    return ended.stdout.strip() or None


def _versions():
    import astropy

    from galmorph.models._keras import keras

    versions = {
        "galmorph": galmorph.__version__,
        "git": _git_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "astropy": astropy.__version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    if versions["backend"] == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    return versions


def history_table(histories, scheme):
    """One row per member and epoch, with the errors of the outputs by name."""
    table = QTable(
        rows=[
            {"member": member, **_flat(entry, scheme)}
            for member, history in enumerate(histories, 1)
            for entry in history
        ]
    )
    if len(table):
        table["seconds"].unit = u.s
    return table


def _flat(entry, scheme):
    entry = dict(entry)
    classes = entry.pop("val_rmse_of")
    named = {
        f"val_rmse_{output}": value
        for output, value in zip(scheme.outputs, classes, strict=True)
    }
    return {**entry, **named}


def draw_history(history, folder):
    """The history as a figure, where matplotlib is installed."""
    from galmorph.visualization import history_figure

    try:
        figure = history_figure(history)
    except MissingDependencyError:
        return
    figure.savefig(folder / "history.png")


def predictions_table(dataset, rows, predicted, scheme):
    """True and predicted fractions of some objects, with their rows in the data."""
    table = QTable({"row": rows if dataset.rows is None else dataset.rows[rows]})
    for i, output in enumerate(scheme.outputs):
        table[f"true_{output}"] = dataset.labels[rows, i]
        table[output] = predicted[:, i].astype(np.float32)
    # so that an evaluation finds them whatever their names
    table.meta["galmorph"] = {"outputs": list(scheme.outputs)}
    return table


def progress_line(entry, epochs):
    """An epoch as a line of text."""
    return (
        f"epoch {entry['epoch']}/{epochs}: RMSE {entry['rmse']:.4f}, validation"
        f" {entry['val_rmse']:.4f}, {entry['seconds']:.0f} s,"
        f" {entry['images_per_second']:.0f} images/s"
    )


def run_metrics(histories, parts, scores, parameters):
    """Scores and figures of a run as plain data."""

    def plain(table):
        return {
            str(row["output"]): {
                # JSON has no NaN
                name: row[name].item() if np.isfinite(row[name]) else None
                for name in table.colnames
                if name != "output"
            }
            for row in table
        }

    best = [min(h, key=lambda entry: entry["val_rmse"]) for h in histories]
    entries = [entry for history in histories for entry in history]
    return {
        **{part: plain(table) for part, table in scores.items()},
        "galaxies": {part: len(rows) for part, rows in parts.items()},
        "parameters": int(parameters),
        "members": len(histories),
        "epochs": [len(history) for history in histories],
        "best_epoch": [entry["epoch"] for entry in best],
        "seconds": round(sum(entry["seconds"] for entry in entries), 1),
        "images_per_second": round(
            float(np.median([entry["images_per_second"] for entry in entries])), 1
        ),
        "waiting": round(float(np.median([e["waiting"] for e in entries])), 4),
    }


def write_arrays(path, arrays):
    """Write an .npz file that appears when it is complete."""
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(file, **arrays)
    os.replace(part, path)


def write_json(path, content):
    """Write a file that appears when it is complete."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)

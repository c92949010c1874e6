# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Score models on the development sets, side by side, with errors.

The real images are looked for in the folder that GALMORPH_TEST_DATA names (sets that
lack are an error); the made ones are drawn once and kept in --out, as are stamps and
predictions, so that a second model with the same preprocessing takes a minute::

    python benchmarks/development --model galmorph-p4m10 --out runs/development
    python benchmarks/development --model new=fold-0,all --folds 0 --out ...
    python benchmarks/development --model new=runs/new/bundle --baseline --out ...

A model is the path of a bundle or the name of one that is registered. `--folds 0 1`: a
model is two bundles, of which one was not trained on fold 0 of SDSS and GZ CEERS and
the other not on fold 1, and is scored on these. Sets without folds are then scored by
both, and errors are by galaxy; or, if there is one more bundle, by that alone.

Writes `figures.ecsv`, `levels.ecsv`, `flags.ecsv`, `alarms.ecsv` and the same as
`report.md`; with `--pictures` also the weak places of the models side by side, score
distributions, and galleries of errors.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table
from baseline import Baseline, Restricted
from predictions import Scored, open_model
from scores import alarm_table_rows, all_figures, flag_rows, level_rows

from galmorph.tables import read_table, write_table


def side_by_side(columns):
    """One table of the figures of several models."""
    first = next(iter(columns.values()))
    order = [(row["set"], row["figure"]) for row in first]
    for rows in columns.values():
        order += [
            (r["set"], r["figure"])
            for r in rows
            if (r["set"], r["figure"]) not in order
        ]
    table = Table()
    table["set"], table["figure"] = map(list, zip(*order, strict=True))
    found = {
        label: {(row["set"], row["figure"]): row for row in rows}
        for label, rows in columns.items()
    }
    any_of = {key: row for rows in found.values() for key, row in rows.items()}
    table["aim"] = [any_of[key]["aim"] for key in order]
    for label, rows in found.items():
        for name, kind in (("n", int), ("value", float), ("error", float)):
            missing = 0 if kind is int else np.nan
            table[f"{label}: {name}"] = [
                kind(rows[key][name]) if key in rows else missing for key in order
            ]
    return table


def markdown(table, labels=None):
    """A table as Markdown; of figures the value, error and number in one cell."""
    if labels:
        heads = ["set", "figure", "aim", *labels]
        lines = [
            [row["set"], row["figure"], row["aim"]]
            + [_cell(*(row[f"{x}: {k}"] for k in ("value", "error", "n")))
               for x in labels]
            for row in table
        ]  # fmt: skip
    else:
        heads = table.colnames
        lines = [
            [f"{v:.3f}" if isinstance(v, float | np.floating) else str(v) for v in row]
            for row in table
        ]
    text = [" | ".join(heads), " | ".join("---" for _ in heads)]
    text += [" | ".join(map(str, line)) for line in lines]
    return "\n".join(f"| {line} |" for line in text) + "\n"


def _cell(value, error, n):
    if n == 0 or not np.isfinite(value):
        return "-"
    error = f" ± {error:.3f}" if np.isfinite(error) else ""
    return f"{value:.3f}{error} ({n})"


def labelled(text, taken):
    """The label of a model and its bundles, from NAME=PATH,PATH... or PATH."""
    label, _, paths = text.rpartition("=")
    bundles = [open_model(path) for path in paths.split(",")]
    label = label or bundles[0].name
    while label in taken:
        label += "'"
    return label, bundles


def report(models, out):
    """Write the tables of some models; returns the Markdown text."""
    out.mkdir(parents=True, exist_ok=True)
    columns = {}
    for model in models:
        print(f"scoring {model.label}", file=sys.stderr, flush=True)
        columns[model.label] = all_figures(model)
    figures = side_by_side(columns)
    write_table(figures, out / "figures.ecsv", overwrite=True)
    text = ["## Figures\n", markdown(figures, list(columns))]
    for name, title, make in (
        ("levels", "Mean fractions of each class", level_rows),
        ("alarms", "Out of domain: share of alarms", alarm_table_rows),
        ("flags", "Share of the flags of the preprocessing", flag_rows),
    ):
        rows = [
            {"model": model.label, **row} for model in models for row in make(model)
        ]
        table = Table(rows)
        write_table(table, out / f"{name}.ecsv", overwrite=True)
        text += [f"\n## {title}\n", markdown(table)]
    text = "\n".join(text)
    (out / "report.md").write_text(text)
    return text


def main():
    parser = argparse.ArgumentParser(
        prog="python benchmarks/development", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--model", nargs="+", required=True, metavar="[NAME=]BUNDLE[,BUNDLE...]"
    )
    parser.add_argument(
        "--folds", nargs="+", type=int, default=[], help="that models were not shown"
    )
    parser.add_argument("--baseline", action="store_true", help="see baseline.py")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    args = parser.parse_args()
    models, taken = [], set()
    for text in args.model:
        label, bundles = labelled(text, taken)
        taken.add(label)
        n_folds = len(args.folds)
        if len(bundles) not in (n_folds or 1, n_folds + 1):
            parser.error(
                f"--model {label}: found {len(bundles)}; give a bundle for each fold,"
                " and maybe one more"
            )
        models.append(Scored(label, bundles, args.out, args.folds))
    print(report(models, args.out))
    if args.baseline:
        baseline = Baseline(args.out)
        same = [Restricted(model, baseline) for model in models]
        print("\nOn the galaxies that the baseline measured\n")
        print(report([*same, baseline], args.out / "with-baseline"))
    if args.pictures:
        from pictures import draw_all, draw_weak_places

        (args.out / "pictures").mkdir(exist_ok=True)
        draw_weak_places(
            Table(read_table(args.out / "figures.ecsv")),
            [model.label for model in models],
            args.out / "pictures" / "weak-places.png",
        )

        for model in models:
            draw_all(model, args.out / "pictures" / model.label.replace(" ", "-"))


if __name__ == "__main__":
    main()

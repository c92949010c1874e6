# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The reference network against simpler ones, on the same galaxies.

Trains the fully connected baseline ('dense_ann') and the network of
Huertas-Company et al. (2015) with ReLU and with maxout units, all with the
data, split, augmentation and training of one recipe, and prints one table in
reStructuredText. What is finished is kept; started again, it goes on where it
was interrupted.

    python benchmarks/seed_networks.py --out runs/seed-networks
"""

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from astropy.table import Table

from galmorph.core import get_scheme
from galmorph.simulation import simulate_stamps
from galmorph.tables import read_table, write_table
from galmorph.training import read_config, train

RECIPE = Path(__file__).parents[1] / "recipes" / "first" / "train.toml"
NETWORKS = {
    "dense_ann": ("dense_ann", {}),
    "hc15, ReLU": ("hc15", {"maxout": False}),
    "hc15, maxout": ("hc15", {"maxout": True}),
}


def say(line):
    print(line, file=sys.stderr, flush=True)


def simulated(config, folder):
    """The recipe's galaxies, simulated once."""
    stamps, truth = folder / "stamps.npy", folder / "truth.ecsv"
    if not stamps.exists():
        say(f"simulating {config.data.n} galaxies")
        data, table = simulate_stamps(
            config.data.n,
            seed=config.data.seed,
            preprocessor=config.preprocessor.with_margin(config.data.side),
        )
        folder.mkdir(parents=True, exist_ok=True)
        write_table(table, truth, overwrite=True)
        with open(stamps.with_suffix(".part"), "wb") as file:
            np.save(file, data)
        os.replace(stamps.with_suffix(".part"), stamps)
    data = np.load(stamps), read_table(truth)
    if len(data[1]) != config.data.n:
        raise SystemExit(f"{folder} has {len(data[1])} galaxies; give another --out")
    return data


def scores(name, config, data, out):
    """Train one network, unless that is done; its scores."""
    folder = out / name.replace(", ", "-")
    metrics = folder / "metrics.json"
    if metrics.exists() and (folder / "bundle").exists():
        return json.loads(metrics.read_text(encoding="utf-8"))
    architecture, options = NETWORKS[name]
    result = train(
        data,
        name=folder.name,
        out=folder,
        scheme=config.scheme,
        architecture=architecture,
        options=options,
        preprocessor=config.preprocessor,
        augmentation=config.augmentation,
        resume=folder.exists(),
        progress=lambda line: say(f"{name}: {line}"),
        **asdict(config.training),
    )
    return result.metrics


def table_of(rows, scheme):
    """One row per network: pooled RMSE first, then that of each output."""
    first = next(iter(rows.values()))["test"]["all"]
    table = {"network": [*rows, "always the mean"]}

    def column(output):
        pairs = [metrics["test"][output] for metrics in rows.values()]
        mean = next(iter(rows.values()))["test"][output]["rmse_mean"]
        return [
            *(f"{row['rmse']:.4f} ± {row['rmse_err']:.4f}" for row in pairs),
            f"{mean:.4f}",
        ]

    table[f"RMSE of {first['n']}"] = column("all")
    for output in scheme.outputs:
        table[output.removeprefix("f_")] = column(output)
    for title, key, style in (
        ("parameters", "parameters", "{:,}"),
        ("epochs", "epochs", "{}"),
        ("images/s", "images_per_second", "{:.0f}"),
    ):
        table[title] = [
            *(style.format(metrics[key]) for metrics in rows.values()),
            "-",
        ]
    return Table(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--n", type=int, help="galaxies, instead of the recipe's")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    args = parser.parse_args()
    config = read_config(args.recipe)
    if args.n is not None:
        config = replace(config, data=replace(config.data, n=args.n))
    if args.epochs is not None:
        training = replace(config.training, epochs=args.epochs)
        config = replace(config, training=training)
    data = simulated(config, args.out)
    rows = {name: scores(name, config, data, args.out) for name in NETWORKS}
    table = table_of(rows, get_scheme(config.scheme))
    table.write(args.out / "table.rst", format="ascii.rst", overwrite=True)
    print((args.out / "table.rst").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

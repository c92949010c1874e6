# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One training run under TensorFlow, JAX and torch: images per second and RMSE.

Besides the share of the time in which the network waits for augmented stamps is given,
and the ratio to the 380 images/s of an epoch of 19,000 images in 50 s on a Tesla K20.

The same simulated galaxies, split, order and augmentation; the backend of Keras
differs, and with it the random numbers of the initial weights and of dropout. Each
runs in a process of its own, one after the other on the same machine. Backends that
are not installed are left out and named.

    python benchmarks/backends.py --out runs/backends
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

BACKENDS = ("tensorflow", "jax", "torch")
NETWORKS = {
    "hc15": {"learning_rate": 2e-4, "batch_size": 32},
    "p4m_resnet": {"learning_rate": 2e-3, "batch_size": 32},
}
SIDE, SHAPE = 64, 45
K20 = 380  # images/s


def simulated(n, path):
    from galmorph import Preprocessor
    from galmorph.simulation import simulate_stamps
    from galmorph.tables import write_table

    if not path.exists():
        stamps, table = simulate_stamps(
            n, seed=2017, preprocessor=Preprocessor(shape=SHAPE).with_margin(SIDE)
        )
        write_table(table, path.with_suffix(".ecsv"), overwrite=True)
        np.save(path, stamps)


def train_one(network, path, epochs, out):
    """What runs in a process of its own; prints one line of JSON."""
    from galmorph.tables import read_table
    from galmorph.training import train

    result = train(
        (np.load(path), read_table(path.with_suffix(".ecsv"))),
        out=out,
        architecture=network,
        epochs=epochs,
        patience=epochs,
        test=0.2,
        seed=1,
        **NETWORKS[network],
    )
    history = result.history
    # the first epoch compiles
    speed, waiting = (
        float(np.median(history[name][1:])) for name in ("images_per_second", "waiting")
    )
    print(json.dumps([result.metrics["test"]["all"], speed, waiting]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--n", type=int, default=2000, help="galaxies")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"stamps-{args.n}.npy"
    if args.one:
        network, out = args.one
        train_one(network, path, args.epochs, out)
        return
    simulated(args.n, path)
    rows = []
    for network in args.networks:
        for backend in args.backends:
            if importlib.util.find_spec(backend) is None:
                print(f"{backend} is not installed", file=sys.stderr)
                continue
            folder = args.out / f"{network}-{backend}"
            command = [*sys.argv, "--one", network, str(folder)]
            ended = subprocess.run(
                [sys.executable, *command],
                env={**os.environ, "KERAS_BACKEND": backend},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            scores, speed, waiting = json.loads(ended.stdout.splitlines()[-1])
            quality = scores["rmse"], scores["rmse_err"]
            rows.append((network, backend, round(speed), waiting, *quality))
            print(rows[-1], file=sys.stderr, flush=True)
    names = ("network", "backend", "images/s", "waiting", "RMSE", "error")
    table = Table(rows=rows, names=names)
    first = {row["network"]: row["images/s"] for row in table[::-1]}
    table["ratio to the first"] = [
        row["images/s"] / first[row["network"]] for row in table
    ]
    table["ratio to a K20"] = table["images/s"] / K20
    for name in ("RMSE", "error"):
        table[name].info.format = ".4f"
    for name in ("waiting", "ratio to the first", "ratio to a K20"):
        table[name].info.format = ".2f"
    table.pprint(max_lines=-1, max_width=-1)


if __name__ == "__main__":
    main()

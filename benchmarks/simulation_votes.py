# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated votes beside the real ones of CANDELS, as numbers and as a figure.

Both are fractions of 3 to 5 votes. The figure shows how often each fraction is
given to each class, and two classes together::

    GALMORPH_TEST_DATA=... python benchmarks/simulation_votes.py 7600 votes.png
"""

import os
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

from galmorph.core import CANDELS
from galmorph.simulation import (
    draw_few_votes,
    energy_distance,
    restore_votes,
    simulate_galaxies,
    vote_statistics,
)

NAMES = [output.removeprefix("f_").replace("_", " ") for output in CANDELS.outputs]
EDGES = np.array([-0.01, 0.01, 0.22, 0.36, 0.45, 0.55, 0.64, 0.78, 0.99, 1.01])
SEED = 2


def real_votes(folder):
    """Fractions of real votes, without jitter, and the smallest number of votes."""
    table = Table.read(folder / "candels_labels" / "kartaltepe_fractions.ecsv")

    def columns(kind):
        names = [output.replace("f_", kind) for output in CANDELS.outputs]
        return np.array([np.array(table[name], float) for name in names]).T

    ticked, shared = columns("any_"), columns("norm_")
    good = np.isfinite(ticked).all(axis=1)
    return restore_votes(ticked[good], shared[good])[0]


def report(simulated, expected, real):
    """Print the statistics of both."""
    found, wanted = vote_statistics(simulated), vote_statistics(real)
    print("class: mean, share with no tick, with 2/3 or more, with all ticks")
    for i, name in enumerate(NAMES):
        print(f"{name:>16}", end="")
        for column in (None, 0, 3, 4):
            pair = [
                s["mean"][i] if column is None else s["levels"][i, column]
                for s in (found, wanted)
            ]
            print(f"   {pair[0]:.3f} ({pair[1]:.3f})", end="")
        print()
    print("spread of the expected fractions:", expected.std(axis=0).round(3))
    print("two classes: both ticked, both 2/3 or more, correlation")
    for i, j in combinations(range(len(NAMES)), 2):
        print(f"{NAMES[i]:>16} {NAMES[j]:>16}", end="")
        for name in ("ticked", "majorities", "correlations"):
            print(f"   {found[name][i, j]:.3f} ({wanted[name][i, j]:.3f})", end="")
        print()
    distance, noise = energy_distance(simulated, real)
    shuffled = np.random.default_rng(SEED).permuted(real, axis=0)
    print(
        f"energy distance {distance:.4f}; of two halves of the real votes {noise:.4f};"
        f" of the real votes with classes shuffled"
        f" {energy_distance(shuffled, real)[0]:.4f};"
        f" of the mean {energy_distance(real * 0 + real.mean(axis=0), real)[0]:.4f}"
    )


def draw(simulated, real, path):
    """Figure of both: histograms on the diagonal, pairs beside it."""
    n = len(NAMES)
    figure = Figure(figsize=(12, 11))
    axes = figure.subplots(n, n)
    for i in range(n):
        for j in range(n):
            axis = axes[i, j]
            if i == j:
                _histograms(axis, simulated[:, i], real[:, i])
            else:
                # real above the diagonal, simulated below it
                votes = real if j > i else simulated
                _pairs(axis, votes[:, j], votes[:, i])
            if i == 0:
                axis.set_title(NAMES[j], fontsize=10)
            if j == 0:
                axis.set_ylabel(NAMES[i], fontsize=10)
    figure.suptitle(
        "Votes of 3 to 5 people: real above the diagonal (and black), simulated below"
        " (and orange)"
    )
    figure.subplots_adjust(0.06, 0.04, 0.99, 0.92, 0.25, 0.25)
    figure.savefig(path, dpi=90)


def _histograms(axis, simulated, real):
    places = np.arange(len(EDGES) - 1)
    for shift, votes, color in ((-0.2, real, "black"), (0.2, simulated, "C1")):
        shares = np.histogram(votes, EDGES)[0] / len(votes)
        axis.bar(places + shift, np.maximum(shares, 1e-4), 0.4, color=color)
    axis.set_yscale("log")
    axis.set_ylim(1e-3, 1)
    labels = ["0", "1/5", "1/3", "2/5", "1/2", "3/5", "2/3", "4/5", "1"]
    axis.set_xticks(places, labels, fontsize=6)
    axis.tick_params(axis="y", labelsize=6)


def _pairs(axis, x, y):
    counts = np.histogram2d(y, x, (EDGES, EDGES))[0] / len(x)
    axis.imshow(np.log10(counts + 1e-4), origin="lower", vmin=-4, vmax=-0.3)
    axis.set_xticks([])
    axis.set_yticks([])


def main(n, path):
    """Simulate, compare and draw."""
    real = real_votes(Path(os.environ["GALMORPH_TEST_DATA"]))
    table = simulate_galaxies(n, seed=SEED, n_workers=os.cpu_count()).table
    expected = CANDELS.labels(table).astype(float)
    simulated = draw_few_votes(expected, np.random.default_rng(SEED))
    print(f"{n} simulated galaxies (in brackets: {len(real)} real ones)")
    report(simulated, expected, real)
    draw(simulated, real, path)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        int(arguments[0]) if arguments else 7600,
        arguments[1] if len(arguments) > 1 else "simulation-votes.png",
    )

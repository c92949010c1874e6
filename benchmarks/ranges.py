# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How good a model is on small and large, faint and bright, fine and coarse galaxies.

Galaxies are simulated as any camera sees them (``instrument="random"``), and others
with half-light radii of 60 to 300 pixels. For ranges of the half-light radius in
pixels, of the signal-to-noise ratio and of the pixel scale, a row is printed: galaxies;
RMSE of their fractions, and that of always their mean; the shares of the fractions of
3 to 5 people's votes within one and 1.96 errors; the mean of the last output,
`f_unclassifiable`, as predicted and voted; and the share flagged out of domain.
Radii are those with S/N above 10, the others those of radii above 3 pixels.

    python benchmarks/ranges.py --galaxies 4000 --large 600
"""

import argparse
from dataclasses import replace

import numpy as np

from galmorph import Preprocessor
from galmorph.core import CANDELS
from galmorph.evaluation import bootstrap_error, coverage, rmse
from galmorph.models import Predictor, fetch_model, load_bundle
from galmorph.simulation import domains, simulate_stamps
from galmorph.simulation.statistics import draw_few_votes

RADII = (0, 2, 3, 5, 10, 30, 60, 100, 150, 200, 300)
SIGNALS = (0, 10, 20, 50, 200, 1000, np.inf)
SCALES = (0.02, 0.05, 0.1, 0.2, 0.5)
LARGE = (60.0, 300.0, 1.0, 1.0)  # pixels from and to, evenly in the logarithm


def measured(bundle, options):
    """Truths, predictions and what the galaxies are like, a column each."""
    preprocessor = Preprocessor.from_dict(bundle.preprocessing)
    settings = {"preprocessor": preprocessor, "instrument": "random"}
    sets = [
        simulate_stamps(
            options.galaxies, seed=options.seed, n_workers=options.workers, **settings
        )
    ]
    if options.large:
        before = domains.DOMAINS["random"]
        domains.DOMAINS["random"] = replace(before, sizes=LARGE)
        try:
            # in this process, which knows the other sizes
            more = {"seed": options.seed + 1, "n_workers": 1, **settings}
            sets.append(simulate_stamps(options.large, **more))
        finally:
            domains.DOMAINS["random"] = before
    predictor, parts = Predictor(bundle), []
    random = np.random.default_rng(options.seed)
    for stamps, table in sets:
        fractions, errors, distances = predictor.predict(stamps)
        radius = np.asarray(table["half_light_radius"])
        scale = np.asarray(table["pixel_scale"])
        truth = CANDELS.labels(table)
        part = {
            "truth": truth,
            "votes": draw_few_votes(truth, random),
            "fractions": fractions,
            "errors": errors,
            "alarm": distances > 1,
            "radius": radius / scale,
            "scale": scale,
            "signal": np.asarray(table["snr"]),
        }
        galaxy = (radius > 0) & np.isfinite(fractions).all(axis=1)
        parts.append({name: values[galaxy] for name, values in part.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def line(title, found, which):
    """One row of the table."""
    some = {name: values[which] for name, values in found.items()}
    n = len(some["truth"])
    if n < 20:
        return f"{title:22s}{n:6d}"
    truth, fractions = some["truth"], some["fractions"]
    error = bootstrap_error(rmse, truth, fractions)
    mean = rmse(truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    shares = [
        coverage(some["votes"], fractions, some["errors"], width, axis=None)
        for width in (1, 1.96)
    ]
    return (
        f"{title:22s}{n:6d}{rmse(truth, fractions):8.3f} +- {error:.3f}{mean:8.3f}"
        f"{shares[0]:8.3f}{shares[1]:7.3f}{fractions[:, -1].mean():9.2f}"
        f"{truth[:, -1].mean():6.2f}{some['alarm'].mean():8.3f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", help="bundle; by default the default model")
    parser.add_argument("--galaxies", type=int, default=4000)
    parser.add_argument("--large", type=int, default=600, help="of 60 to 300 pixels")
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    bundle = load_bundle(options.model or fetch_model())
    found = measured(bundle, options)
    print(bundle.name)
    heads = "     n    RMSE             mean    68 %   95 %  unclassifiable   alarm"
    print(f"{'':22s}{heads}")
    resolved, bright = found["radius"] > 3, found["signal"] > 10
    for what, edges, those in (
        ("radius", RADII, bright),
        ("signal", SIGNALS, resolved),
        ("scale", SCALES, resolved & bright),
    ):
        print(what)
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            inside = (found[what] >= low) & (found[what] < high)
            print(line(f"  {low:g} to {high:g}", found, those & inside))


if __name__ == "__main__":
    main()

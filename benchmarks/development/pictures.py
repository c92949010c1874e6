# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a model sees and where it errs: score distributions, and galleries of errors.

In a gallery each galaxy is shown twice: its image, with the square that became the
stamp, and below it the stamp with the class and the predicted fractions.
"""

import numpy as np
import sets

from galmorph.core import CANDELS, decode_flags
from galmorph.visualization.drawing import COLOURS, new_figure, save_figure
from galmorph.visualization.plots import style_axes

__all__ = ["draw_all", "draw_weak_places"]

_COLUMNS, _CELL = 12, 1.35


def _shown(image):
    """Pixels for a display: pictures as they are, linear ones stretched."""
    if image.dtype.kind == "u":
        return image, 0, 255
    image = image - np.nanmedian(image)
    rms = 1.4826 * np.nanmedian(np.abs(image)) or 1e-9
    shown = np.arcsinh(image / (3 * rms))
    return shown, -0.6, max(float(np.nanmax(shown)), 1.0)


def gallery(scored, name, rows, words, path, title):
    """Draw some galaxies of a set."""
    images, stamps = sets.load(name, scored.out / "sets"), scored.stamps(name)
    found = scored.of(name)
    lines = -(-len(rows) // _COLUMNS)
    figure = new_figure(_COLUMNS * _CELL, lines * 2.42 * _CELL + 0.4)
    axes = np.atleast_2d(figure.subplots(2 * lines, _COLUMNS))
    for axis in axes.flat:
        axis.axis("off")
    for number, (row, word) in enumerate(zip(rows, words, strict=True)):
        line, column = divmod(number, _COLUMNS)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        image, low, high = _shown(images.images[row])
        above.imshow(image, origin="lower", cmap="gray_r", vmin=low, vmax=high)
        x, y = stamps["x_centroid"][row], stamps["y_centroid"][row]
        if np.isfinite(x):
            half = stamps["stamp_side"][row] / 2
            across = np.array([-1, 1, 1, -1, -1]) * half
            above.plot(x + across, y + np.roll(across, 1), color="#d55e00", lw=0.8)
        above.set_xlim(-0.5, image.shape[1] - 0.5)
        above.set_ylim(-0.5, image.shape[0] - 0.5)
        above.set_title(word, fontsize=6, pad=2)
        stamp = stamps["data"][row, ..., 0]
        below.imshow(stamp, origin="lower", cmap="gray_r", vmin=-0.5, vmax=5)
        where = np.flatnonzero(found.rows == row)
        values = [np.mean(found.fractions[o][where]) for o in CANDELS.outputs]
        values = " ".join(
            f"{letter}{100 * value:.0f}"
            for letter, value in zip("SDIPU", values, strict=True)
        )
        flags = [
            "".join(part[0] for part in flag.split("_"))
            for flag in decode_flags(int(stamps["flags"][row]))
        ]
        below.set_title(f"{values} {' '.join(flags)}", fontsize=5.5, pad=2)
    figure.suptitle(title, fontsize=8, x=0.01, ha="left", y=0.995)
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.35 / figure.get_figheight(),
                           0.04, 0.12)  # fmt: skip
    save_figure(figure, path, dpi=100)


def distributions(groups, path):
    """Histograms of the fractions of classes: {class: matrix of fractions}."""
    figure = new_figure(2.4 * 5, 2.3)
    axes = figure.subplots(1, 5)
    edges = np.linspace(0, 1, 21)
    for i, (axis, output) in enumerate(zip(axes, CANDELS.outputs, strict=True)):
        style_axes(axis, output)
        for colour, (label, matrix) in zip(COLOURS, groups.items(), strict=False):
            values = matrix[:, i]
            values = values[np.isfinite(values)]
            weights = np.full(len(values), 1 / max(len(values), 1))
            axis.hist(values, edges, weights=weights, histtype="step", color=colour,
                      label=f"{label} ({len(values)})")  # fmt: skip
        axis.set_yticks([])
    axes[-1].legend(fontsize=5.5, frameon=False)
    figure.subplots_adjust(0.02, 0.12, 0.99, 0.88, 0.1)
    save_figure(figure, path, dpi=110)


def _worst(scores, mine, n=36):
    """Rows of a class with the lowest scores."""
    rows = np.flatnonzero(mine & np.isfinite(scores))
    return rows[np.argsort(scores[rows], kind="stable")][:n]


def draw_all(scored, folder):
    """
    Draw distributions and galleries of all sets.

    Parameters
    ----------
    scored : `~predictions.Scored`
    folder : `~pathlib.Path`
    """
    folder.mkdir(parents=True, exist_ok=True)

    def draw(name, p, scores, mine, title, words):
        at = _worst(scores, mine)
        slug = title.split(":")[0].replace(" ", "-")
        gallery(scored, name, p.rows[at], [str(words[i]) for i in at],
                folder / f"{name}-{slug}.png", title)  # fmt: skip

    p = scored.of("sdss")
    kind = np.asarray(p.table["gz1_class"]).astype(str)
    f, matrix = p.fractions, p.matrix(CANDELS.outputs)
    distributions(
        {k: matrix[kind == k] for k in sorted(set(kind))}, folder / "sdss.png"
    )
    for k in ("spiral_clockwise", "spiral_combined", "edge_on"):
        draw("sdss", p, f["f_disk"] - f["f_spheroid"], kind == k,
             f"{k}: least f_disk - f_spheroid", kind)  # fmt: skip
    draw("sdss", p, f["f_spheroid"] - f["f_disk"], kind == "elliptical",
         "elliptical: least f_spheroid - f_disk", kind)  # fmt: skip
    draw("sdss", p, f["f_irregular"], kind == "merger",
         "merger: least f_irregular", kind)  # fmt: skip
    normal = ~np.isin(kind, ("merger", "dont_know"))
    draw("sdss", p, -f["f_irregular"], normal,
         "no merger: most f_irregular", kind)  # fmt: skip

    p = scored.of("ceers")
    f, matrix = p.fractions, p.matrix(CANDELS.outputs)
    votes = {
        name: np.ma.filled(np.ma.asarray(p.table[name], float), np.nan)
        for name in ("f_smooth", "f_featured", "f_merger_or_disturbed")
    }
    words = [
        f"s{100 * a:.0f} f{100 * b:.0f} m{100 * c:.0f}"
        for a, b, c in zip(*votes.values(), strict=True)
    ]
    groups = {f"{k} > 0.6": matrix[v > 0.6] for k, v in votes.items()}
    distributions(groups, folder / "ceers.png")
    draw("ceers", p, f["f_irregular"], votes["f_merger_or_disturbed"] > 0.6,
         "merger: votes > 0.6, least f_irregular", words)  # fmt: skip
    draw("ceers", p, -f["f_irregular"], votes["f_merger_or_disturbed"] < 0.1,
         "no merger: votes < 0.1, most f_irregular", words)  # fmt: skip
    draw("ceers", p, f["f_disk"] - f["f_spheroid"], votes["f_featured"] > 0.5,
         "featured: votes > 0.5, least f_disk - f_spheroid", words)  # fmt: skip
    draw("ceers", p, f["f_spheroid"], votes["f_smooth"] > 0.65,
         "smooth: votes > 0.65, least f_spheroid", words)  # fmt: skip

    p = scored.of("point_sources")
    kind = np.asarray(p.table["kind"]).astype(str)
    camera = np.asarray(p.table["camera"]).astype(str)
    words = [
        f"{k} {x[:8]} {loss}"
        for k, x, loss in zip(kind, camera, p.table["loss"], strict=True)
    ]
    matrix, point = p.matrix(CANDELS.outputs), p.fractions["f_point_source"]
    groups = {k: matrix[kind == k] for k in sorted(set(kind))}
    distributions(groups, folder / "point_sources.png")
    for k in ("star, saturated", "star, bright", "compact"):
        draw("point_sources", p, point, kind == k,
             f"{k.replace(',', '')}: least f_point_source", words)  # fmt: skip
    draw("point_sources", p, -point, np.char.startswith(kind, "galaxy"),
         "galaxies: most f_point_source", words)  # fmt: skip

    for name, words_of in (
        ("candels", "id"),
        ("fields", "field"),
        ("outside", "kind"),
    ):
        p = scored.of(name)
        some = np.arange(len(p.rows))
        if name == "outside":
            some = np.flatnonzero(some % 40 < 6)
        words = np.asarray(p.table[words_of]).astype(str)
        at = some[np.argsort(p.rows[some], kind="stable")]
        gallery(scored, name, p.rows[at], [words[i] for i in at],
                folder / f"{name}.png", name)  # fmt: skip


def draw_weak_places(figures, labels, path):
    """
    Draw the figures of the known weak places, of one model beside another.

    Parameters
    ----------
    figures : `~astropy.table.Table`
        As of ``figures.ecsv``.
    labels : list of str
        The models, from the oldest on.
    path : path-like
    """
    rows = figures[np.asarray(figures["set"]).astype(str) == "weak places"]
    names = [str(name) for name in rows["figure"]]
    groups = {
        "AUC": [i for i, name in enumerate(names) if "AUC" in name],
        "bias": [i for i, name in enumerate(names) if "AUC" not in name],
    }
    figure = new_figure(9.5, 0.34 * len(names) + 0.9)
    heights = [len(lines) for lines in groups.values()]
    axes = figure.subplots(2, 1, height_ratios=heights)
    for axis, (what, lines) in zip(axes, groups.items(), strict=True):
        style_axes(axis, "", what)
        for number, (colour, label) in enumerate(zip(COLOURS, labels, strict=False)):
            axis.errorbar(
                rows[f"{label}: value"][lines],
                np.arange(len(lines)) + 0.22 * number,
                xerr=rows[f"{label}: error"][lines],
                fmt="o", ms=4, color=colour, label=label,
            )  # fmt: skip
        axis.set_yticks(np.arange(len(lines)), [names[i] for i in lines])
        axis.invert_yaxis()
        axis.axvline(0 if what == "bias" else 1, color="0.8", lw=0.8, zorder=0)
    axes[0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    save_figure(figure, path, dpi=110)

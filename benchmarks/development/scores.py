# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The figures of the development sets, each with its error and number of galaxies.
"""

import numpy as np
from outside import alarm_rows

from galmorph.core import CANDELS, MorphFlag
from galmorph.evaluation import auc, bias, bootstrap_error, rmse, spearman
from galmorph.simulation import draw_few_votes

__all__ = ["alarm_table_rows", "all_figures", "flag_rows", "level_rows"]

VOTES = ("f_smooth", "f_featured", "f_artifact", "f_merger_or_disturbed")
_SPIRALS = ("spiral_clockwise", "spiral_anticlockwise", "spiral_combined")
_DISKS = (*_SPIRALS, "edge_on")
_N_SAMPLES = 100


def _figure(section, name, statistic, *arrays, groups=None, aim=""):
    """One figure; arrays of one value per galaxy, NaN where there is none."""
    arrays = [np.asarray(array, float) for array in arrays]
    good = np.all([np.isfinite(array) for array in arrays], axis=0)
    while good.ndim > 1:
        good = good.any(axis=1)
    arrays = [array[good] for array in arrays]
    groups = None if groups is None else np.asarray(groups)[good]
    n = good.sum() if groups is None else len(np.unique(groups))
    if groups is not None and n == good.sum():
        groups = None
    value = float(statistic(*arrays)) if good.any() else np.nan
    error = np.nan
    if good.any():
        error = bootstrap_error(statistic, *arrays, groups=groups, n_samples=_N_SAMPLES)
    return {
        "set": section,
        "figure": name,
        "n": int(n),
        "value": value,
        "error": float(error),
        "aim": aim,
    }


def _auc(truth, score):
    return auc(truth[:, None], score[:, None])[0]


def _spearman(truth, score):
    return spearman(truth[:, None], score[:, None])[0]


def _mean(values):
    return values.mean() if values.size else np.nan


def _column(table, name):
    return np.asarray(np.ma.filled(np.ma.asarray(table[name], float), np.nan))


def _classes(p):
    """Classes of Galaxy Zoo 1, and which are ellipticals, disks, mergers."""
    kind = np.asarray(p.table["gz1_class"]).astype(str)
    return kind, kind == "elliptical", np.isin(kind, _DISKS), kind == "merger"


def _of_sdss(p):
    kind, early, late, merger = _classes(p)
    known, f = kind != "dont_know", p.fractions

    def line(name, positive, among, score, aim=""):
        return _figure(
            "SDSS",
            name,
            _auc,
            positive[among],
            score[among],
            groups=p.rows[among],
            aim=aim,
        )

    pair = early | late
    yield line(
        "AUC elliptical against spiral and edge-on, f_spheroid",
        early,
        pair,
        f["f_spheroid"],
        "0.96",
    )
    yield line(
        "AUC spiral and edge-on against elliptical, f_disk",
        late,
        pair,
        f["f_disk"],
        "0.96",
    )
    yield line(
        "AUC merger against elliptical, spiral and edge-on, f_irregular",
        merger,
        known,
        f["f_irregular"],
        "0.94",
    )
    yield line(
        "AUC merger against all others, don't know too, f_irregular",
        merger,
        np.ones(len(kind), bool),
        f["f_irregular"],
    )
    for name, kinds in (
        ("spiral with a sense", _SPIRALS[:2]),
        ("spiral combined", _SPIRALS[2:]),
        ("edge-on", ("edge_on",)),
    ):
        mine = np.isin(kind, kinds)
        yield line(f"AUC {name} against elliptical, f_disk", mine, mine | early,
                   f["f_disk"])  # fmt: skip
    for name, mine in (("elliptical", early), ("spiral and edge-on", late)):
        yield line(f"AUC merger against {name}, f_irregular", merger, merger | mine,
                   f["f_irregular"])  # fmt: skip


def _of_redshifted(p):
    _, early, late, merger = _classes(p)
    for name, positive, others, output in (
        ("elliptical against spiral and edge-on", early, late, "f_spheroid"),
        ("spiral and edge-on against elliptical", late, early, "f_disk"),
        ("merger against the three", merger, early | late, "f_irregular"),
    ):
        among = positive | others
        yield _figure("SDSS, redshifted", f"AUC {name}, {output}", _auc,
                      positive[among], p.fractions[output][among],
                      groups=p.rows[among])  # fmt: skip
    for name, mine in (("elliptical", early), ("spiral and edge-on", late)):
        for output in ("f_spheroid", "f_disk"):
            yield _figure("SDSS, redshifted", f"mean {output}, {name}", _mean,
                          p.fractions[output][mine], groups=p.rows[mine])  # fmt: skip


def _of_ceers(p):
    table, f = p.table, p.fractions
    votes = {name: _column(table, name) for name in VOTES}
    minor = _column(table, "t11_is_the_galaxy_merging_or_disturbed__minor_disturbance")
    asked = _column(table, "total_votes_merging_question")
    with np.errstate(invalid="ignore", divide="ignore"):
        minor = votes["f_merger_or_disturbed"] + minor / asked

    def line(name, truth, score, aim=""):
        return _figure(
            "GZ CEERS", name, _spearman, truth, score, groups=p.rows, aim=aim
        )

    merging = votes["f_merger_or_disturbed"]
    yield line("Spearman f_irregular, merger", merging, f["f_irregular"], "0.67")
    yield line("Spearman f_spheroid, smooth", votes["f_smooth"], f["f_spheroid"],
               "0.50")  # fmt: skip
    yield line(
        "Spearman f_disk - f_spheroid, featured - smooth",
        votes["f_featured"] - votes["f_smooth"],
        f["f_disk"] - f["f_spheroid"],
        "0.58",
    )
    yield line("Spearman f_irregular, merger with minor", minor, f["f_irregular"])
    yield line("Spearman f_disk, featured", votes["f_featured"], f["f_disk"])
    yield line("Spearman f_irregular, featured", votes["f_featured"], f["f_irregular"])
    yield line("Spearman f_unclassifiable, artifact", votes["f_artifact"],
               f["f_unclassifiable"])  # fmt: skip
    if set(VOTES) <= set(f):
        truth = np.stack([votes[name] for name in VOTES], axis=1)
        yield _figure(
            "GZ CEERS",
            "votes head, pooled RMSE of 4 fractions",
            rmse,
            truth,
            p.matrix(VOTES),
            groups=p.rows,
            aim="0.136",
        )


def _of_candels(p):
    names = [f"any_{name.removeprefix('f_')}" for name in CANDELS.outputs]
    truth = np.stack([_column(p.table, name) for name in names], axis=1)
    found = p.matrix(CANDELS.outputs)
    yield _figure("CANDELS F160W", "RMSE against any_*", rmse, truth, found,
                  groups=p.rows, aim="0.15")  # fmt: skip
    for i, name in enumerate(CANDELS.outputs):
        yield _figure(
            "CANDELS F160W",
            f"bias {name}",
            bias,
            truth[:, [i]],
            found[:, [i]],
            groups=p.rows,
            aim="+-0.05",
        )


def _of_point_sources(p):
    kind = np.asarray(p.table["kind"]).astype(str)
    galaxy = np.char.startswith(kind, "galaxy")
    point, score = ~galaxy, p.fractions["f_point_source"]
    stretched = np.asarray(p.table["stretched"], bool)
    camera = np.asarray(p.table["camera"]).astype(str)
    loss = np.asarray(p.table["loss"]).astype(str)

    def line(name, positive, among, aim=""):
        among = among & (positive | galaxy)
        return _figure(
            "point sources",
            f"AUC {name} against galaxies",
            _auc,
            positive[among],
            score[among],
            groups=p.rows[among],
            aim=aim,
        )

    every = np.ones(len(kind), bool)
    yield line("stars and compact sources", point, every, "0.97")
    yield line("the same, linear images", point, ~stretched)
    yield line("the same, pictures of 8 bits", point, stretched)
    for name in ("star, faint", "star, bright", "star, saturated", "compact"):
        yield line(name, kind == name, every)
    for name in dict.fromkeys(loss[loss != ""]):
        yield line(f"saturated core: {name}", loss == name, every)
    for name in dict.fromkeys(camera):
        yield line(f"{name}: stars and compact", point, camera == name)
    for name in ("star, saturated", "compact"):
        mine = kind == name
        yield _figure(
            "point sources", f"mean f_point_source, {name}", _mean, score[mine],
            groups=p.rows[mine],
        )  # fmt: skip


def _of_fields(p):
    star = np.asarray(p.table["star"], bool)
    f = p.fractions
    score = f["f_point_source"]
    for name in ("f_point_source", "f_spheroid", "f_disk"):
        yield _figure("deep fields", f"the star of hst_deep_500: {name}", _mean,
                      f[name][star], groups=p.rows[star])  # fmt: skip
    yield _figure("deep fields", "AUC the star against galaxies, f_point_source", _auc,
                  star, score, groups=p.rows)  # fmt: skip
    yield _figure("deep fields", "mean f_point_source of the galaxies", _mean,
                  score[~star], groups=p.rows[~star])  # fmt: skip


def _of_simulated(p, name):
    truth = np.stack([_column(p.table, o) for o in CANDELS.outputs], axis=1)
    found = p.matrix(CANDELS.outputs)
    errors = p.matrix(CANDELS.outputs, "errors")
    own = name == "simulated F160W"
    yield _figure(name, "pooled RMSE", rmse, truth, found, groups=p.rows,
                  aim="15 % below baseline" if own else "")  # fmt: skip
    for i, output in enumerate(CANDELS.outputs):
        pair = truth[:, [i]], found[:, [i]]
        yield _figure(name, f"RMSE {output}", rmse, *pair, groups=p.rows)
    for i, output in enumerate(CANDELS.outputs):
        pair = truth[:, [i]], found[:, [i]]
        yield _figure(name, f"bias {output}", bias, *pair, groups=p.rows,
                      aim="+-0.01" if own else "")  # fmt: skip
    if np.isfinite(errors).any():
        # the errors are those against the votes of as few people as in CANDELS
        truth = draw_few_votes(truth, np.random.default_rng(1))
        pulls = np.abs(found - truth) / np.where(errors > 0, errors, np.nan)
        for level, width, aim in ((68, 0.9945, "0.68+-0.03"), (95, 1.96, "0.95+-0.02")):
            for i, output in enumerate(CANDELS.outputs):
                within = np.where(
                    np.isfinite(pulls[:, i]), pulls[:, i] <= width, np.nan
                )
                yield _figure(name, f"share within the {level} % interval, {output}",
                              _mean, within, groups=p.rows, aim=aim)  # fmt: skip


def _weak(scored):
    """The known weak places, before and after."""
    name = "weak places"
    p = scored.of("point_sources")
    kind = np.asarray(p.table["kind"]).astype(str)
    galaxy, score = np.char.startswith(kind, "galaxy"), p.fractions["f_point_source"]
    for what in ("star, saturated", "star, bright"):
        among = galaxy | (kind == what)
        yield _figure(name, f"saturated stars and spikes: AUC {what}", _auc,
                      (kind == what)[among], score[among],
                      groups=p.rows[among])  # fmt: skip
    p = scored.of("ceers")
    featured, smooth = (_column(p.table, f"f_{w}") for w in ("featured", "smooth"))
    among = (featured > 0.5) | (smooth > 0.5)
    yield _figure(name, "featured galaxies of GZ CEERS: AUC f_disk against smooth",
                  _auc, (featured > 0.5)[among], p.fractions["f_disk"][among],
                  groups=p.rows[among])  # fmt: skip
    merging = _column(p.table, "f_merger_or_disturbed")
    among = (merging > 0.6) | (merging < 0.2)
    yield _figure(name, "mergers of GZ CEERS: AUC f_irregular, votes > 0.6 and < 0.2",
                  _auc, (merging > 0.6)[among], p.fractions["f_irregular"][among],
                  groups=p.rows[among])  # fmt: skip
    p = scored.of("simulated")
    for what in ("compact", "spheroid", "merger"):
        mine = np.asarray(p.table["kind"]).astype(str) == what
        output = "f_irregular" if what == "merger" else "f_spheroid"
        outputs = (output, "f_point_source") if what == "compact" else (output,)
        for output in outputs:
            yield _figure(name, f"simulated {what}: bias {output}", bias,
                          _column(p.table, output)[mine][:, None],
                          p.fractions[output][mine][:, None],
                          groups=p.rows[mine])  # fmt: skip
    linear, pictures = _same_rows(p, scored.of("stretched"))
    for output in CANDELS.outputs:
        moved = pictures.fractions[output] - linear.fractions[output]
        yield _figure(name, f"level: {output} of pictures - of linear images", _mean,
                      moved, groups=linear.rows)  # fmt: skip


def _same_rows(one, other):
    """Both for the galaxies that are in both, in one order."""
    for a, b in ((one, other), (other, one)):
        which = np.flatnonzero(np.isin(a.rows, b.rows))
        yield a.take(which[np.argsort(a.rows[which], kind="stable")])


def all_figures(scored):
    """
    All the figures of one model.

    Parameters
    ----------
    scored : `~predictions.Scored`

    Returns
    -------
    rows : list of dict
        ``set``, ``figure``, ``n``, ``value``, ``error`` and ``aim``.
    """
    rows = []
    for name, figures in (
        ("sdss", _of_sdss),
        ("redshifted", _of_redshifted),
        ("ceers", _of_ceers),
        ("candels", _of_candels),
        ("point_sources", _of_point_sources),
        ("fields", _of_fields),
    ):
        rows += figures(scored.of(name))
    for name, title in (
        ("simulated", "simulated F160W"),
        ("cameras", "simulated, other cameras"),
        ("stretched", "simulated F160W, pictures"),
    ):
        rows += _of_simulated(scored.of(name), title)
    rows += _weak(scored)
    return rows


def level_rows(scored):
    """
    Mean fractions of each class, which are to agree between linear and stretched.

    Parameters
    ----------
    scored : `~predictions.Scored`

    Returns
    -------
    rows : list of dict
        ``set``, ``class``, ``n``, and the mean of each output; of simulated
        galaxies also the mean truth, in rows of their own.
    """
    rows = []

    def add(name, what, fractions, mine):
        n = len(np.unique(p.rows[mine]))
        rows.append({"set": name, "class": what, "n": n})
        for output in CANDELS.outputs:
            values = np.asarray(fractions[output], float)[mine]
            rows[-1][output] = float(np.nanmean(values)) if mine.any() else np.nan

    p = scored.of("sdss")
    for kind in dict.fromkeys(p.table["gz1_class"]):
        add("SDSS", str(kind), p.fractions, np.asarray(p.table["gz1_class"]) == kind)
    p = scored.of("ceers")
    for output in VOTES:
        add("GZ CEERS", f"{output} > 0.6", p.fractions, _column(p.table, output) > 0.6)
    add("GZ CEERS", "all", p.fractions, np.ones(len(p.rows), bool))
    for name in ("simulated", "stretched"):
        p = scored.of(name)
        kinds = np.asarray(p.table["kind"]).astype(str)
        for kind in dict.fromkeys(kinds):
            add(name, kind, p.fractions, kinds == kind)
            if name == "simulated":
                add(name, f"{kind}, truth", p.table, kinds == kind)
    p = scored.of("candels")
    every = np.ones(len(p.rows), bool)
    add("CANDELS", "all", p.fractions, every)
    truth = {o: _column(p.table, f"any_{o.removeprefix('f_')}") for o in
             CANDELS.outputs}  # fmt: skip
    add("CANDELS", "all, truth", truth, every)
    return rows


def flag_rows(scored):
    """
    What the preprocessing flags in each set.

    Parameters
    ----------
    scored : `~predictions.Scored`

    Returns
    -------
    rows : list of dict
        ``set``, ``n``, and the share of each flag that any set has.
    """
    rows = []
    for name in ("sdss", "redshifted", "ceers", "candels", "fields", "simulated",
                 "stretched", "cameras", "point_sources", "outside"):  # fmt: skip
        flags = scored.of(name).flags
        rows.append({"set": name, "n": len(np.unique(scored.of(name).rows))})
        for flag in MorphFlag:
            rows[-1][flag.name.lower()] = float(np.mean((flags & flag) != 0))
    return rows


def alarm_table_rows(scored, limit=1.0):
    """
    True and false alarms of the domain distance of a model.

    Parameters
    ----------
    scored : `~predictions.Scored`
    limit : float, optional
        Above it a row is flagged.

    Returns
    -------
    rows : list of dict
        As of `~outside.alarm_rows`; the galaxies of each set are lines of their own.
    """
    p = scored.of("outside")
    inside = {
        name: scored.of(name)
        for name in ("sdss", "ceers", "candels", "simulated", "cameras", "stretched")
    }
    best = p.matrix(CANDELS.outputs[:4]).max(axis=1)
    alarms = p.distances > limit  # not where the distance is NaN
    rows = alarm_rows(
        p.distances,
        alarms,
        alarms | (p.flags != 0),
        best > 2 / 3,
        p.table["kind"],
        np.concatenate([i.distances for i in inside.values()]),
        np.concatenate([i.distances > limit for i in inside.values()]),
    )
    for name, i in inside.items():
        rows.append({**rows[-1], "kind": f"galaxies of {name}"})
        rows[-1]["n"] = len(np.unique(i.rows))
        known = np.isfinite(i.distances).any()
        rows[-1]["alarms"] = np.mean(i.distances > limit) if known else np.nan
    return rows

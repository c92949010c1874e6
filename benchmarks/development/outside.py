# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images that are no galaxies, or galaxies at a wrong scale, and how often they alarm.

All are made but the photographs, which are those that scikit-image and matplotlib
ship, and some of the galaxies of wrong scale, which are cut out of real SDSS images.
"""

from pathlib import Path

import matplotlib
import numpy as np
from astropy.table import Table
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import data as pictures
from stars import drawn, hexagonal, noisy

from galmorph.simulation import INSTRUMENTS, simulate_galaxies

__all__ = ["KINDS", "alarm_rows", "outside_images"]

_PHOTOGRAPHS = (
    "camera",
    "astronaut",
    "coffee",
    "chelsea",
    "rocket",
    "coins",
    "brick",
    "grass",
    "gravel",
    "immunohistochemistry",
)
_SIDE = 96


def _noise(random):
    """Noise alone, white or correlated, rarely with a gradient."""
    camera = _any_camera(random)
    image = camera.noise((_SIDE, _SIDE), 1.0, random).astype(float)
    if random.random() < 0.3:
        y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
        image += random.uniform(-2, 2) * x + random.uniform(-2, 2) * y
    return random.uniform(0, 300) + random.uniform(0.01, 30) * image


def _defects(random):
    """Bad columns and rows, cosmic rays, steps between amplifiers, hot pixels."""
    image = random.standard_normal((_SIDE, _SIDE))
    middle = _SIDE // 2
    which = random.integers(5)
    strength = np.exp(random.uniform(np.log(10), np.log(500)))
    if which == 0:
        for column in middle + random.integers(-8, 9, random.integers(1, 4)):
            image[random.integers(0, middle) :, column] += strength
    elif which == 1:
        for row in middle + random.integers(-8, 9, random.integers(1, 4)):
            image[row] -= strength * random.choice([-1, 1])
    elif which == 2:
        canvas = Image.new("F", (_SIDE, _SIDE))
        draw = ImageDraw.Draw(canvas)
        for _ in range(random.integers(1, 8)):
            x, y = middle + random.normal(0, 8, 2)
            angle, length = random.uniform(0, 2 * np.pi), random.uniform(1, 40)
            end = (x + length * np.cos(angle), y + length * np.sin(angle))
            draw.line([(x, y), end], fill=float(strength))
        image += np.asarray(canvas)
    elif which == 3:
        image[:, middle + random.integers(-5, 6) :] += random.uniform(3, 30)
    else:
        hot = random.random(image.shape) < 0.02
        image += hot * random.exponential(strength, image.shape)
        image[middle - 2 : middle + 2, middle - 2 : middle + 2] += strength
    return image


def _spikes(random):
    """On a diffraction spike of a bright star outside of the image."""
    camera = INSTRUMENTS[
        str(random.choice(["wfc3_f160w", "acs_f814w", "nircam_f150w"]))
    ]
    optics = hexagonal(camera) if camera.name.startswith("NIRCam") else camera
    bright = camera.magnitudes[0] - random.uniform(3, 5)
    star = drawn(optics, bright, 0, 193, 96, 96)
    # in the middle the brightest place that far from the star
    side = np.arange(193) - 96
    ring = abs(np.hypot(side, side[:, None]) - random.uniform(45, 68)) < 1
    y, x = np.unravel_index(np.argmax(np.where(ring, star, 0)), star.shape)
    image = star[y - 24 : y + 24, x - 24 : x + 24]
    return noisy(image, camera, random)[0]


def _star_field(random):
    """As crowded as the middle of a globular cluster."""
    camera = _any_camera(random)
    image = np.zeros((160, 160))
    width = camera.psf_fwhm / camera.pixel_scale
    n = int(random.uniform(0.05, 0.3) * (160 / width) ** 2)
    stamp = drawn(camera, camera.zero_point, 0, 65, 32, 32)
    for flux in (random.pareto(0.9, n) + 1).clip(0, 1000):
        x, y = random.integers(-32, 128, 2)
        moved = ndimage.shift(stamp, random.uniform(-0.5, 0.5, 2), order=1)
        y0, x0 = max(y, 0), max(x, 0)
        part = moved[y0 - y : 160 - y, x0 - x : 160 - x]
        image[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] += flux * part
    rms = 0.02 * random.uniform(0.3, 3)
    return (image + camera.noise(image.shape, rms, random))[32:128, 32:128]


def _text(random):
    """Words in any font, size and direction, dark on bright or bright on dark."""
    fonts = sorted(Path(matplotlib.get_data_path(), "fonts/ttf").glob("DejaVu*.ttf"))
    font = ImageFont.truetype(
        str(fonts[random.integers(len(fonts))]), int(random.integers(8, 40))
    )
    canvas = Image.new("L", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(canvas)
    words = 'galaxy NGC 4321 z=1.23 no data available EXPTIME flux [e/s] N E 5" hello'
    words = words.split()
    y = random.integers(0, 30)
    while y < _SIDE:
        line = " ".join(random.permutation(words)[:4])
        draw.text((int(random.integers(-20, 10)), int(y)), line, 255, font)
        y += font.size * random.uniform(1.1, 2.5)
    image = np.asarray(canvas)
    if np.ptp(image) == 0:  # only gaps
        return _text(random)
    return 255 - image if random.random() < 0.5 else image.copy()


def _photograph(random):
    """A part of a photograph, half of them much reduced."""
    image = getattr(pictures, str(random.choice(_PHOTOGRAPHS)))()
    image = Image.fromarray(image).convert("L")
    least = min(image.size)
    side = int(least if random.random() < 0.5 else random.uniform(0.3, 0.8) * least)
    x, y = (int(random.integers(0, n - side + 1)) for n in image.size)
    image = image.crop((x, y, x + side, y + side)).resize((_SIDE, _SIDE), 4)
    return np.array(image)


def _core(random, galaxies):
    """So far into a galaxy that neither its edge nor the sky is in the image."""
    image, radius = galaxies[random.integers(len(galaxies))]
    side = max(int(0.5 * radius), 12)
    y, x = (n // 2 - side // 2 for n in image.shape)
    return image[y : y + side, x : x + side]


def _wide(random, galaxies):
    """Ten times too wide: a galaxy within two pixels."""
    image, _ = galaxies[random.integers(len(galaxies))]
    image = image.astype(float) - np.median(image)
    side = 10 * (min(image.shape) // 10)
    first = [(n - side) // 2 for n in image.shape]
    image = image[first[0] : first[0] + side, first[1] : first[1] + side]
    small = image.reshape(side // 10, 10, side // 10, 10).mean(axis=(1, 3))
    # in noise that hides where the pixels of the galaxy end
    rms = 3 * 1.4826 * np.median(abs(small - np.median(small)))
    rms = max(rms, 0.02 * small.max(), 1e-9)
    wide = random.normal(0, rms, (64, 64))
    y = 32 - len(small) // 2
    wide[y : y + len(small), y : y + len(small)] += small
    return wide


def _any_camera(random):
    return INSTRUMENTS[str(random.choice(list(INSTRUMENTS)))]


KINDS = {
    "noise": _noise,
    "CCD defects": _defects,
    "diffraction spike": _spikes,
    "field of stars": _star_field,
    "text": _text,
    "photograph": _photograph,
    "core of a galaxy": _core,
    "ten times too wide": _wide,
}
"""How each kind of image is made."""


def _large_galaxies(seed):
    """Large galaxies, simulated and real, with their radius in pixels."""
    from sets import load

    camera = INSTRUMENTS["nircam_f150w"]
    made = simulate_galaxies(600, seed=seed, instrument=camera)
    radius = made.table["half_light_radius"].to_value("arcsec") / camera.pixel_scale
    kinds = np.isin(made.table["kind"], ("spheroid", "disk", "irregular"))
    found = [
        (np.asarray(made.cutouts[i].data), 2 * radius[i])
        for i in np.flatnonzero((radius > 15) & kinds)
    ]
    sdss = load("sdss", None)
    spirals = np.char.startswith(np.asarray(sdss.table["gz1_class"]), "spiral")
    rows = np.random.default_rng(seed).choice(np.flatnonzero(spirals), 40, False)
    return found + [(sdss.images[i], 40.0) for i in rows]


def outside_images(seed, n=40):
    """
    Images on which a model should raise the alarm.

    Parameters
    ----------
    seed : int
    n : int, optional
        Images of each kind.

    Returns
    -------
    images : list of `~numpy.ndarray`
    table : `~astropy.table.Table`
        ``kind``, and ``outside``, which is always true.
    """
    images, kinds = [], []
    galaxies = _large_galaxies(seed)
    for number, (kind, draw) in enumerate(KINDS.items()):
        random = np.random.default_rng(seed + number)
        more = (galaxies,) if draw in (_core, _wide) else ()
        for _ in range(n):
            image = draw(random, *more)
            images.append(image if image.dtype == np.uint8 else image.astype("f4"))
            kinds.append(kind)
    return images, Table({"kind": kinds, "outside": [True] * len(kinds)})


def alarm_rows(scores, alarms, flagged, nonsense, kinds, inside_scores, inside_alarms):
    """
    How often images outside and inside of the domain raise the alarm.

    Parameters
    ----------
    scores, inside_scores : array_like
        The higher, the more unusual the image is; NaN where there is none.
    alarms, inside_alarms : array_like of bool
        Whether a row is said to be out of the domain.
    flagged : array_like of bool
        Whether a row of those outside has this or any other flag.
    nonsense : array_like of bool
        Whether a row of those outside is given a confident class.
    kinds : array_like of str
        The kinds of those outside.

    Returns
    -------
    rows : list of dict
        Of each kind ``n``; ``alarms``, their share; ``flagged``, the share with any
        flag; ``auc`` of the score against those inside; and ``nonsense``, the share
        without an alarm and with a class. The last row is that of those inside,
        whose alarms are false. NaN where there are no scores.
    """
    from galmorph.evaluation import auc

    scores, inside_scores = (np.asarray(s, float) for s in (scores, inside_scores))
    kinds, alarms = np.asarray(kinds), np.asarray(alarms)
    known = np.isfinite(scores).any()
    rows = []
    for kind in [*dict.fromkeys(kinds), "all outside"] if len(kinds) else []:
        mine = (kinds == kind) | (kind == "all outside")
        truth = np.r_[np.ones(mine.sum()), np.zeros(len(inside_scores))]
        both = np.r_[scores[mine], inside_scores]
        rows.append(
            {
                "kind": str(kind),
                "n": int(mine.sum()),
                "alarms": float(alarms[mine].mean()) if known else np.nan,
                "flagged": float(np.asarray(flagged)[mine].mean()),
                "auc": float(auc(truth[:, None], both[:, None])[0]),
                "nonsense": float((np.asarray(nonsense) & ~alarms)[mine].mean()),
            }
        )
    nothing = dict.fromkeys(("flagged", "auc", "nonsense"), np.nan)
    false = float(np.mean(inside_alarms)) if known else np.nan
    rows.append(
        {
            "kind": "galaxies (false alarms)",
            "n": len(inside_scores),
            "alarms": false,
            **nothing,
        }
    )
    return rows

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Any camera, and galaxies of any size and brightness in it.

For a network that shall work with images of cameras that it has not seen
(domain randomisation: Tobin et al. 2017, arXiv:1703.06907) everything that
cameras and surveys differ in is drawn anew for each galaxy. Sizes count in
pixels and brightness in the noise; how large and bright a galaxy is among all others
follows from its size and magnitude in `galmorph.simulation.population`.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtr

from galmorph.simulation.instruments import Instrument
from galmorph.simulation.optics import Optics
from galmorph.simulation.painting import draw_arms
from galmorph.simulation.population import draw_galaxy, draw_neighbour
from galmorph.simulation.stars import CORES

__all__ = [
    "DOMAINS",
    "Domain",
    "draw_camera",
    "draw_neighbours",
    "draw_target",
    "noise_for",
]

_ZERO_POINT = 26.0
_BOX = 0.68  # FWHM of a Gaussian as wide as a square pixel, over its side
# mean and scatter of the logarithms of half-light radius (arcsec) and of surface
# brightness (of what has no magnitude) among the galaxies of `population`, and how
# far those among what a camera sees go together with them
_SIZE, _SURFACE, _ALIKE = (-0.56, 0.28), (-8.18, 0.64), 0.85
_DRIZZLED = 0.7  # share of images from space with correlated noise
_COARSEST = 0.68  # side of a detector's pixel over the FWHM, as that of WFC3/IR
_SPIKES = 0.35  # of the telescope's diffraction over the seeing, as drawn


@dataclass(frozen=True)
class Domain:
    """
    Cameras, and galaxies in them, to draw from.

    Parameters
    ----------
    families : tuple of (float, str, tuple of float)
        Share of a kind of telescope, its pupil or ``'ground'``, and the range of
        its pixel scales in arcsec.
    sampling : tuple of float
        Least and largest FWHM of the PSF in pixels.
    sizes : tuple of float
        Least and largest half-light radius in pixels, and the two parameters of
        the beta distribution of its logarithm.
    signal : tuple of float
        Least, most frequent and largest decimal logarithm of the
        signal-to-noise ratio of a resolution element.
    correlation : tuple of float
        Least and largest ``neighbour_weight`` of `~galmorph.simulation.Instrument`.
    white : float
        Share of the cameras whose noise is white.
    clumps : float, optional
        Factor of the strength of clumps, which galaxies nearby have less.
    spirals : float, optional
        Share of the disks without arms that get arms.
    neighbours : float, optional
        Median of the expected numbers of neighbours in an image.
    """

    families: tuple
    sampling: tuple
    sizes: tuple
    signal: tuple
    correlation: tuple
    white: float
    clumps: float = 1.0
    spirals: float = 0.0
    neighbours: float = 1.5


DOMAINS = {
    "random": Domain(
        families=(
            (0.30, "vanes4", (0.03, 0.13)),
            (0.27, "hexagons", (0.02, 0.065)),
            (0.08, "vanes3", (0.05, 0.12)),
            (0.07, "round", (0.02, 0.3)),
            (0.28, "ground", (0.12, 0.5)),
        ),
        sampling=(1.2, 6.0),
        sizes=(2.5, 130.0, 1.2, 3.0),
        signal=(-0.2, 0.9, 2.8),
        correlation=(0.0, 0.45),
        white=0.25,
    ),
    "jwst": Domain(
        families=((1.0, "hexagons", (0.02, 0.065)),),
        sampling=(1.4, 4.0),
        sizes=(2.5, 60.0, 1.5, 2.5),
        signal=(0.2, 0.9, 2.6),
        correlation=(0.15, 0.45),
        white=0.0,
    ),
    "nearby": Domain(
        families=((1.0, "ground", (0.2, 0.5)),),
        sampling=(2.2, 4.5),
        sizes=(2.5, 60.0, 2.0, 2.4),
        signal=(0.8, 1.6, 2.8),
        correlation=(0.0, 0.2),
        white=0.5,
        clumps=0.3,
        spirals=0.5,
        neighbours=4.0,
    ),
}
"""
What can be drawn, by name: any camera; NIRCam-like ones; and bright galaxies that
are well resolved in spite of the seeing, as in SDSS.
"""


def _log_uniform(random, low, high):
    return low * (high / low) ** random.random()


def draw_camera(random, domain="random"):
    """
    Draw a camera.

    Parameters
    ----------
    random : `numpy.random.Generator`
    domain : str, optional
        One of ``DOMAINS``.

    Returns
    -------
    instrument : `~galmorph.simulation.Instrument`
        In the domain ``"random"`` with pixels of 0.02 to 0.5 arcseconds, a point
        spread function 1.2 to 6 of them wide, of a telescope in space or on the
        ground, and noise between white and that of finely drizzled images. Part of
        those from space are drizzled from larger pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.domains import draw_camera
    >>> camera = draw_camera(np.random.default_rng(1))
    >>> 1.1 < camera.psf_fwhm / camera.pixel_scale < 6.5
    True
    """
    drawn_from, families = DOMAINS[domain], DOMAINS[domain].families
    shares = np.cumsum([share for share, *_ in families])
    which = int(np.searchsorted(shares, random.random() * shares[-1], side="right"))
    _, pupil, scales = families[which]
    scale = _log_uniform(random, *scales)
    ground = pupil == "ground"
    # images from space are sampled more coarsely than those from the ground
    low, high = drawn_from.sampling
    low, high = (max(low, 1.8), high) if ground else (low, 0.75 * high)
    fwhm = scale * _log_uniform(random, low, high)
    white = random.random() < drawn_from.white
    boxes, step, pixfrac = [scale], 1.0, 0.0
    if not (ground or white) and fwhm > 1.8 * scale and random.random() < _DRIZZLED:
        step = random.uniform(1.0, min(_COARSEST * fwhm / scale, 2.2))
        pixfrac = random.uniform(0.6, 1.0)
        boxes = [step * scale, scale, pixfrac * step * scale]
    elif fwhm > 2 * scale:
        boxes.append(scale * random.uniform(1.0, 2.0))
    rest = math.sqrt(fwhm**2 - sum((_BOX * box) ** 2 for box in boxes))
    optics = {"boxes": tuple(boxes), "angle": random.uniform(0, 360)}
    if ground:
        optics["pupil"] = "vanes4" if random.random() < 0.6 else "round"
        optics["seeing"] = rest / math.hypot(1, _SPIKES)
        optics["beta"] = random.uniform(2.2, 4.8)
        optics["resolution"] = _SPIKES * optics["seeing"]
    else:
        share = random.uniform(0.55, 1.0)
        optics["pupil"] = pupil
        optics["resolution"] = share * rest / 1.03
        optics["blur"] = math.sqrt(1 - share**2) * rest / 2.355
        optics["bandwidth"] = random.uniform(0.05, 0.5)
        optics["halo"] = random.uniform(0, 0.15)
        optics["halo_radius"] = fwhm * random.uniform(1.5, 4.0)
    optics["shear"] = random.normal(scale=0.06)
    weight = 0.0 if white else random.uniform(*drawn_from.correlation)
    return Instrument(
        name=f"{domain} {pupil}",
        pixel_scale=scale,
        zero_point=_ZERO_POINT,
        diameter=0.0,
        obscuration=0.0,
        wavelengths=(),
        detector_scale=step * scale,
        jitter=0.0,
        sky=step**2,
        read_noise=0.0,
        readout=1.0,
        depths=(),
        neighbour_weight=weight,
        optics=Optics(**optics),
        pixfrac=pixfrac,
    )


def draw_target(random, camera, kind=None, domain="random"):
    """
    Draw the parameters of an object in a camera.

    Parameters
    ----------
    random : `numpy.random.Generator`
    camera : `~galmorph.simulation.Instrument`
        As `draw_camera` gives it.
    kind : str, optional
        One of `~galmorph.simulation.population.KINDS`; drawn by their shares
        where it is not given.
    domain : str, optional
        One of ``DOMAINS``.

    Returns
    -------
    truth : dict
        As `~galmorph.simulation.population.draw_galaxy`, and ``snr``, the
        signal-to-noise ratio within the half-light radius; ``reach``, pixels
        from the middle that its light needs; and maybe ``knots`` of young
        stars, the ``separation`` and tail of mergers, and a star's ``core``.
    """
    truth = draw_galaxy(random, kind)
    kind, scale = truth["kind"], camera.pixel_scale
    fwhm = camera.psf_fwhm / scale
    if kind == "star":
        return truth | _star(random, truth, camera)
    among_sizes, among_signals = _standing(truth, random)
    if kind == "compact":
        radius = fwhm / 2.355 * random.uniform(0.3, 1.5)
    else:
        smallest, largest, *shape = DOMAINS[domain].sizes
        radius = smallest * (largest / smallest) ** betaincinv(*shape, among_sizes)
        radius = max(float(radius), 0.4 * fwhm)
    truth["half_light_radius"] = radius * scale
    # how far a resolution element stands out of the noise, on average
    if kind == "unclassifiable" and not truth["defect"]:
        signal = random.uniform(-0.8, 0.0)
    else:
        signal = _triangular(among_signals, *DOMAINS[domain].signal)
    elements = 1 + (2 * radius / fwhm) ** 2
    truth["snr"] = max(10**signal * math.sqrt(elements), random.uniform(4, 12))
    truth["magnitude"] = _ZERO_POINT - 2.5 * math.log10(_brightness(random, radius))
    _dress(truth, random, DOMAINS[domain])
    size = 1 + 0.5 * max(truth["companion"], truth["third"], truth["tail"])
    # the PSF's wings of what is bright reach far
    wings = 14 + 6 * max(0.0, math.log10(truth["snr"]) - 2)
    # of large galaxies the stamp's own reach, of four Petrosian radii, will do
    reach = 4.3 * radius + 0.7 * min(radius, 15.0)
    truth["reach"] = reach * size + 2 * fwhm + wings
    return truth


def _standing(truth, random):
    """
    Share of all galaxies that are smaller, and of those whose surfaces are fainter.

    What is small and bright among the galaxies of a survey, as early types are, is
    so among those of a camera too, as far as distance and depth do not hide it.
    """
    size = math.log10(truth["half_light_radius"])
    surface = -0.4 * truth["magnitude"] - 2 * size
    for value, (mean, scatter) in ((size, _SIZE), (surface, _SURFACE)):
        own = _ALIKE * (value - mean) / scatter
        yield ndtr(own + math.sqrt(1 - _ALIKE**2) * random.standard_normal())


def _triangular(share, low, mode, high):
    """Quantile of the triangular distribution."""
    rising = (mode - low) / (high - low)
    if share < rising:
        return low + math.sqrt(share * (high - low) * (mode - low))
    return high - math.sqrt((1 - share) * (high - low) * (high - mode))


def _brightness(random, radius):
    """Electrons per second of a galaxy against a sky of one per pixel."""
    # its mean surface brightness within the half-light radius over the sky's
    return 2 * math.pi * radius**2 * _log_uniform(random, 0.003, 3.0)


def _dress(truth, random, domain):
    """Structure that shows in bright and well resolved galaxies, by the band."""
    # bluer light shows the young stars and the dust, redder light the bulge
    blue = random.uniform(-1, 1)
    bulge = truth["bulge_to_total"]
    if 0 < bulge < 1:
        ratio = bulge / (1 - bulge) * 10 ** (-0.3 * blue)
        truth["bulge_to_total"] = ratio / (1 + ratio)
    clumps = domain.clumps if truth["kind"] != "irregular" else 1.0
    truth["clumpiness"] = min(truth["clumpiness"] * clumps * (1 + 0.5 * blue), 1.0)
    if truth["kind"] == "disk" and random.random() < domain.spirals:
        truth["spiral"] = truth["spiral"] or random.beta(2, 2)
    truth["dust"] = min(truth["dust"] * (1 + 0.5 * blue), 1.0)
    late = truth["kind"] in ("disk", "irregular", "merger", "unclassifiable")
    if late and random.random() < 0.6:
        truth["knots"] = random.beta(1.2, 6) * (1 + 0.6 * blue)
        truth["arms"] = draw_arms(random) if truth["spiral"] else None
    if truth["companion"]:
        # some nuclei have nearly met
        truth["separation"] = random.uniform(0.2, 2.5)
        truth["tail_reach"] = random.uniform(2.6, 6.0)


def _star(random, truth, camera):
    """A star from hardly seen to far too bright, or two of them."""
    fwhm = camera.psf_fwhm / camera.pixel_scale
    snr = _log_uniform(random, 10.0, 3e5)
    drawn = {
        "snr": snr,
        "saturation": 0.0,
        "reach": 26 + 2.5 * fwhm + 28 * max(0.0, math.log10(snr) - 1.5),
    }
    drawn["magnitude"] = _ZERO_POINT - 2.5 * math.log10(_brightness(random, fwhm / 2))
    # the brighter, the more likely too bright
    if random.random() < 0.35 * (math.log10(snr) - 1.5):
        drawn["saturation"] = 1 - 10 ** -random.uniform(0.1, 2.0)
        drawn["core"] = tuple(CORES)[random.integers(len(CORES))]
        drawn["hollow"] = random.uniform(-0.1, 0.6)
    if random.random() < 0.12:
        drawn["companion"] = _log_uniform(random, 0.1, 1.0)
        drawn["separation"] = camera.psf_fwhm * random.uniform(0.7, 5.0)
    return drawn


def noise_for(truth, camera):
    """
    Noise of a pixel that gives an object its signal-to-noise ratio.

    Parameters
    ----------
    truth : dict
        As `draw_target` gives it.
    camera : `~galmorph.simulation.Instrument`

    Returns
    -------
    rms : float
        Electrons per second.
    """
    flux = 10 ** (-0.4 * (truth["magnitude"] - camera.zero_point))
    radius = math.hypot(truth["half_light_radius"], camera.psf_fwhm / 2)
    pixels = math.pi * (radius / camera.pixel_scale) ** 2
    correlated = min(camera.noise_correlation, math.sqrt(pixels))
    return 0.5 * flux / (truth["snr"] * correlated * math.sqrt(pixels))


def draw_neighbours(random, truth, camera, side, x, y, domain="random"):
    """
    Draw what stands around an object.

    Parameters
    ----------
    random : `numpy.random.Generator`
    truth : dict
        As `draw_target` gives it.
    camera : `~galmorph.simulation.Instrument`
    side : int
        Side of the image in pixels.
    x, y : float
        Position of the object in 0-based pixels.
    domain : str, optional
        One of ``DOMAINS``.

    Returns
    -------
    neighbours : list of (dict, float, float)
        Parameters and position of each.
    """
    scale = camera.pixel_scale
    fwhm = camera.psf_fwhm / scale
    radius = max(truth["half_light_radius"] / scale, 0.5 * fwhm)
    found = []
    crowd = random.lognormal(math.log(DOMAINS[domain].neighbours), 0.8)
    for _ in range(min(random.poisson(crowd), 12)):
        star = random.random() < 0.25
        flux = 10 ** random.uniform(-2.3, 0.3)
        x2, y2 = random.uniform(0, side, size=2)
        other = _neighbour(random, truth, camera, star, flux, radius)
        clear = 1.2 * radius + 1.5 * fwhm
        seen = flux * truth["snr"] > 3
        if seen and math.hypot(x2 - x, y2 - y) > clear + (0 if star else other["size"]):
            found.append((other, x2, y2))
    near = {"blend": random.integers(2, 5), "bright_star": 1}.get(truth["defect"], 0)
    if not near and random.random() < 0.05:
        near = -1  # a star that happens to stand before the galaxy
    for _ in range(abs(near)):
        glare = truth["defect"] == "bright_star"
        star = glare or near < 0 or random.random() < 0.2
        flux = 10 ** random.uniform(*((0.5, 2.5) if glare else (0.0, 0.8)))
        flux *= 0.1 if near < 0 else 1.0
        far = (3 if glare else 1.2) * radius + fwhm
        distance, phase = random.uniform(0.4, 1.0) * far, random.uniform(0, 2 * np.pi)
        other = _neighbour(random, truth, camera, star, flux, radius)
        x2, y2 = x + distance * math.cos(phase), y + distance * math.sin(phase)
        found.append((other, x2, y2))
    return found


def _neighbour(random, truth, camera, star, flux, radius):
    other = draw_galaxy(random, "star") if star else draw_neighbour(random)
    fwhm = camera.psf_fwhm / camera.pixel_scale
    size = min(radius * flux**0.25 * random.lognormal(-0.5, 0.4), 40.0)
    other["size"] = max(size, 0.3 * fwhm)
    other["magnitude"] = truth["magnitude"] - 2.5 * math.log10(flux)
    other["saturation"] = 0.0
    bright = max(0.0, math.log10(flux * truth["snr"]) - 1.5)
    other["reach"] = (
        (5 * other["size"] if not star else 0) + 12 + 2 * fwhm + 12 * bright
    )
    if not star:
        other["half_light_radius"] = other["size"] * camera.pixel_scale
    return other

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
From raw cutouts to the stamps that a network reads.
"""

from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real

import numpy as np

from galmorph.core import ConfigurationError, MorphFlag
from galmorph.images.cutouts import extract_cutouts
from galmorph.images.measurement import measure_targets, stack_cutouts
from galmorph.images.rendering import quality_flags, render_stamps
from galmorph.images.stamps import MEASURED, NOT_CLASSIFIED, Stamps, measurement_table

__all__ = ["Preprocessor"]

_VERSION = 1
_LARGEST_WINDOW = 2048  # pixels; a window grows no further, to bound the memory
_MOST_PIXELS = 1 << 21  # that are held at a time, for the same reason
_STACKED = 1 << 19  # pixels in an array; fewer are calls, more are misses of the cache
_CHOICES = {
    "size_rule": ("petrosian", "fixed"),
    "neighbours": ("noise", "mask", "apart", "keep"),
    "stretch": ("asinh", "linear"),
    "softening_unit": ("noise", "brightness"),
}


@dataclass(frozen=True)
class Preprocessor:
    """
    The way from cutouts to stamps; part of the model that was trained with it.

    The target is the segment at the position. Its centroid becomes the middle
    of the stamp and its Petrosian radius sets the side. The sky is subtracted,
    the pixels are resampled, stretched and scaled so that the target's
    brightest pixel has the value ``peak``. The result depends neither on the
    flux scale of the image nor on a constant that was added to it.

    Parameters
    ----------
    shape : int, optional
        Side of the stamps in their own pixels.
    size_rule : {'petrosian', 'fixed'}, optional
        ``'petrosian'``: the side is ``size_factor`` Petrosian radii.
        ``'fixed'``: the side is ``fixed_size`` arcseconds, which needs a
        known pixel scale.
    size_factor : float, optional
        Side of a stamp in Petrosian radii; 4 in Huertas-Company et al. (2015,
        ApJS 221, 8).
    fixed_size : float, optional
        Side of a stamp in arcseconds for the rule ``'fixed'``.
    min_side : float, optional
        The least side of a stamp, in pixels of the image.
    default_side : float, optional
        Side of a stamp, in pixels of the image, where there is no source.
    window : int, optional
        Side, in pixels, of the first cutout around a position. It is doubled
        as long as the stamp or the target does not fit.
    n_sigma : float, optional
        Threshold of the segmentation in standard deviations of the sky.
    smoothing_fwhm : float, optional
        Gaussian smoothing before the segmentation, FWHM in pixels.
    deblend_contrast : float, optional
        The least fraction of the flux that a peak beside the target must have
        to be cut off as a neighbour; 0 to leave blends whole.
    neighbours : {'noise', 'mask', 'apart', 'keep'}, optional
        What becomes of other segments: noise like that of the sky, sky
        level, noise unless they touch the target, as the other half of a merger
        does, or left as they are.
    recenter_limit : float, optional
        The centroid may lie this many pixels from the given position, or a
        quarter of the radius of the segment where that is more.
    stretch : {'asinh', 'linear'}, optional
        Function applied to the sky-subtracted pixels.
    softening : float, optional
        Level at which the stretch turns from linear to logarithmic.
    softening_unit : {'noise', 'brightness'}, optional
        Unit of the softening: the standard deviation of the sky, or the mean
        brightness of the stamp within ``1 / size_factor`` of its side from the
        middle, the Petrosian radius, with which a galaxy looks the same at any
        depth.
    peak : float, optional
        Value of the target's brightest pixel in the stamp. The small initial
        weights of the reference network hardly learn from values below one.
    margin : int, optional
        Further pixels of the stamp on each axis, at the same sampling; see
        `with_margin`.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.

    Notes
    -----
    1. Sky: clipped median, and the spread below it, of the pixels off the
       sources in the window. All that follows counts in that spread.
    2. Target: photutils' segmentation of the smoothed window, deblended, or the
       segmentation that is given; the segment at the position, or the nearest
       one within three pixels. Thresholds use the uncertainty where there is one.
       Narrow gaps and enclosed holes of bad pixels are interpolated.
    3. Centre: photutils' centre of mass of the segment's positive pixels.
    4. Size: the circular Petrosian radius (`petrosian_radius`) with neighbours
       left out. Where it is not reached, or far beyond the segment only, the
       segment's largest radius serves.
    5. Pixels: separable resampling with a triangle kernel as wide as the larger
       of the two pixels (`resample`), then stretch, then scaling.

    Replaced pixels get noise of the window's own correlation. Its seed is made
    from the shape of the segments, so that a galaxy's stamp is the same in any
    order, batch or unit.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph import Preprocessor
    >>> from galmorph.images import as_nddata
    >>> y, x = np.mgrid[:80, :80] - 40.0
    >>> noise = np.random.default_rng(0).normal(size=(80, 80))
    >>> image = as_nddata(100 * np.exp(-np.hypot(x, y) / 4) + noise)
    >>> preprocess = Preprocessor(shape=32)
    >>> stamps = preprocess(preprocess.cutouts(image, [41], [39]))
    >>> stamps.data.shape
    (1, 32, 32, 1)
    >>> np.round(stamps.measurements["x_centroid"].value, 0)
    array([40.])
    """

    shape: int = 45
    size_rule: str = "petrosian"
    size_factor: float = 4.0
    fixed_size: float = 3.84
    min_side: float = 16.0
    default_side: float = 32.0
    window: int = 96
    n_sigma: float = 1.5
    smoothing_fwhm: float = 3.0
    deblend_contrast: float = 0.05
    neighbours: str = "noise"
    recenter_limit: float = 5.0
    stretch: str = "asinh"
    softening: float = 3.0
    softening_unit: str = "noise"
    peak: float = 5.0
    margin: int = 0

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)!r}; choose one of {choices}"
                )
        least = {"shape": 4, "window": 16, "margin": 0}
        may_be_zero = ("recenter_limit", "deblend_contrast")
        for entry in fields(self):
            name, value = entry.name, getattr(self, entry.name)
            if name in least:
                if not isinstance(value, Integral) or value < least[name]:
                    raise ConfigurationError(
                        f"{name}: found {value!r}; it must be a whole number,"
                        f" {least[name]} or more"
                    )
            elif name not in _CHOICES:
                positive = isinstance(value, Real) and 0 < value < np.inf
                if not positive and not (value == 0 and name in may_be_zero):
                    raise ConfigurationError(
                        f"{name}: found {value!r}; it must be a number above 0"
                    )

    def to_dict(self):
        """
        The settings as plain data for JSON.

        Returns
        -------
        config : dict
        """
        return {"version": _VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, config):
        """
        Make a preprocessor from what `to_dict` returned.

        Parameters
        ----------
        config : dict

        Returns
        -------
        preprocessor : `Preprocessor`

        Raises
        ------
        ConfigurationError
            If a key or the version is unknown.

        Examples
        --------
        >>> from galmorph import Preprocessor
        >>> Preprocessor.from_dict(Preprocessor().to_dict()) == Preprocessor()
        True
        """
        config = dict(config)
        version = config.pop("version", _VERSION)
        if version != _VERSION:
            raise ConfigurationError(
                f"preprocessing: found version {version!r}, this galmorph knows"
                f" {_VERSION}; a newer galmorph may read it"
            )
        known = [entry.name for entry in fields(cls)]
        unknown = sorted(set(config) - set(known))
        if unknown:
            raise ConfigurationError(
                f"preprocessing: unknown settings {unknown}; known are {known}"
            )
        return cls(**config)

    def with_margin(self, shape):
        """
        The same sampling on larger stamps, as augmentation needs them.

        Parameters
        ----------
        shape : int
            Side of the larger stamps, e.g. 64 where stamps of 45 pixels are
            to be rotated by any angle.

        Returns
        -------
        preprocessor : `Preprocessor`

        Examples
        --------
        >>> from galmorph import Preprocessor
        >>> Preprocessor().with_margin(64).margin
        19
        """
        return replace(self, margin=shape - self.shape)

    def cutouts(self, image, x, y, *, segmentation=None, labels=None):
        """
        Cut the windows around positions that the preprocessing starts from.

        Parameters
        ----------
        image : `~astropy.nddata.NDData` or ``Windows``
            As `~galmorph.images.as_nddata` returns it.
        x, y : array_like of float
            Positions in 0-based pixels.
        segmentation : `~numpy.ndarray`, optional
            Segmentation of the image, 0 for sky.
        labels : array_like of int, optional
            Labels of the targets in the segmentation.

        Returns
        -------
        cutouts : iterator of `~galmorph.images.RawCutout`
        """
        return extract_cutouts(
            image, x, y, size=self.window, segmentation=segmentation, labels=labels
        )

    def __call__(self, cutouts):
        """
        Make stamps from cutouts.

        Parameters
        ----------
        cutouts : iterable of `~galmorph.images.RawCutout`

        Returns
        -------
        stamps : `Stamps`
            One row for each cutout, in the same order. What is wrong with a
            cutout is in the row's flags; it never ends the others.
        """
        side = self.shape + self.margin
        portions = _portions(cutouts, lambda cutout: cutout.mask.size)
        parts = [self._stamps_of(portion) for portion in portions]
        if not parts:
            empty = np.zeros((0, side, side, 1), np.float32)
            return Stamps(empty, np.zeros(0, np.int32), measurement_table({}, 0))
        failures, first = {}, 0
        for part in parts:
            failures |= {first + row: why for row, why in part.failures.items()}
            first += len(part.flags)
        values = {
            name: np.concatenate([part.values[name] for part in parts])
            for name in parts[0].values
        }
        return Stamps(
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.flags for part in parts]).astype(np.int32),
            measurement_table(values, first),
            failures,
        )

    def _stamps_of(self, cutouts):
        """The rows of some cutouts; those of one shape are measured together."""
        rows = _Rows(cutouts, self.shape + self.margin)
        good = {i: c for i, c in enumerate(cutouts) if not c.flags & NOT_CLASSIFIED}
        self._fill_or_enlarge(good, rows)
        return rows

    def _fill_or_enlarge(self, cutouts, rows):
        """Fill rows, those that need a larger window by it, few at a time."""
        waiting = self._attempt(list(cutouts), cutouts, rows)
        for few in _portions(waiting, lambda i: 4 * cutouts[i].mask.size):
            larger = {}
            for i in few:
                try:
                    larger[i] = cutouts[i].enlarged()
                except Exception as error:  # the file may be damaged there
                    rows.fail(i, error)
            self._fill_or_enlarge(larger, rows)

    def _attempt(self, numbers, cutouts, rows):
        """Fill rows, and tell which need a larger window; an error ends only one."""
        try:
            return self._fill(numbers, cutouts, rows)
        except Exception as error:
            if len(numbers) == 1:
                rows.fail(numbers[0], error)
                return []
        half = len(numbers) // 2
        parts = numbers[:half], numbers[half:]
        return sum((self._attempt(part, cutouts, rows) for part in parts), [])

    def _fill(self, numbers, cutouts, rows):
        waiting = []
        with np.errstate(all="ignore"):
            groups = list(_alike(numbers, cutouts))
            members = [[cutouts[i] for i in group] for group in groups]
            stacks = [stack_cutouts(each) for each in members]
            for group, stack, targets, each in zip(
                groups, stacks, measure_targets(stacks, self), members, strict=True
            ):
                small = self._fill_group(group, stack, targets, each, rows)
                waiting += [group[k] for k in small]
        return waiting

    def _fill_group(self, group, stack, targets, cutouts, rows):
        scale = np.array([cutout.pixel_scale for cutout in cutouts], float)
        side, flags = self._sides(targets, scale)
        small = self._too_small(cutouts, targets, side)
        flags |= targets.flags | quality_flags(targets, side)
        hopeless = ~small & ((flags & NOT_CLASSIFIED) != 0)
        usable = np.flatnonzero(~small & ~hopeless)
        where = np.array(group)
        rows.flag(where[hopeless], int(MorphFlag.NO_DATA))
        if usable.size:
            origin = np.array([cutout.origin for cutout in cutouts])
            values = {
                "x_centroid": targets.x + origin[:, 1],
                "y_centroid": targets.y + origin[:, 0],
                "petrosian_radius": targets.radius,
                "petrosian_radius_angle": targets.radius * scale,
                "stamp_side": side,
                "snr": targets.snr,
                "sky": targets.sky,
                "sky_rms": targets.rms,
            }
            stamps = render_stamps(stack, targets, usable, side[usable], self)
            rows.data[where[usable]] = stamps
            rows.flag(where[usable], flags[usable])
            for name, column in values.items():
                rows.values[name][where[usable]] = column[usable]
        return np.flatnonzero(small)

    def _sides(self, targets, scale):
        flags = np.zeros(len(scale), int)
        if self.size_rule == "fixed":
            if not np.all(scale > 0):
                raise ConfigurationError(
                    "pixel_scale: the size rule 'fixed' needs it, and the image has"
                    " none; give pixel_scale"
                )
            side = self.fixed_size / scale
        else:
            substitute = (targets.label != 0) & ~np.isfinite(targets.radius)
            flags[substitute] = int(MorphFlag.PETROSIAN_LIMIT)
            radius = np.where(substitute, targets.reach, targets.radius)
            side = self.size_factor * radius
            side[targets.label == 0] = self.default_side
        return np.maximum(side, self.min_side), flags

    def _too_small(self, cutouts, targets, side):
        """Whether a larger window would hold more of the stamp or the target."""
        half = side * (1 + self.margin / self.shape) / 2
        ny, nx = targets.planes.shape[1:]
        top, bottom, left, right = targets.box
        beyond = np.array(
            [
                (targets.y - half < 0) | (top == 0),
                (targets.x - half < 0) | (left == 0),
                (ny - 1 - targets.y - half < 0) | (bottom == ny - 1),
                (nx - 1 - targets.x - half < 0) | (right == nx - 1),
            ]
        )
        small = beyond.any(axis=0) & (max(ny, nx) < _LARGEST_WINDOW)
        for i in np.flatnonzero(small):
            # an edge of the window that is also the image's edge cannot be moved
            small[i] = np.any(beyond[:, i] & ~cutouts[i].at_edges)
        return small


class _Rows:
    """Results of some cutouts, in their order."""

    def __init__(self, cutouts, side):
        n, shape = len(cutouts), cutouts[0].data.shape
        bands = 1 if len(shape) == 2 else shape[2]
        self.data = np.zeros((n, side, side, bands), np.float32)
        self.given = np.array([cutout.flags for cutout in cutouts], int)
        self.flags = self.given.copy()
        self.values = {name: np.full(n, np.nan) for name in MEASURED}
        self.failures = {}

    def flag(self, rows, bits):
        self.flags[rows] = self.given[rows] | bits

    def fail(self, row, error):
        self.failures[row] = f"{type(error).__name__}: {error}"
        self.flag(row, int(MorphFlag.FAILED))


def _portions(things, n_pixels):
    """Lists of things that have not too many pixels together."""
    portion, pixels = [], 0
    for thing in things:
        portion.append(thing)
        pixels += n_pixels(thing)
        if pixels >= _MOST_PIXELS:
            yield portion
            portion, pixels = [], 0
    if portion:
        yield portion


def _alike(numbers, cutouts):
    """Lists of cutouts of one shape and kind, with not too many pixels together."""
    groups = {}
    for i in numbers:
        cutout = cutouts[i]
        parts = (cutout.data, cutout.mask, cutout.rms, cutout.segmentation)
        kind = tuple(None if p is None else (p.shape, p.dtype.str) for p in parts)
        groups.setdefault(kind, []).append(i)
    for kind, group in groups.items():
        (ny, nx, *_), _ = kind[0]
        most = max(1, _STACKED // (ny * nx))
        for start in range(0, len(group), most):
            yield group[start : start + most]

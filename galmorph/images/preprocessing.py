# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
From raw cutouts to the stamps that a network reads.
"""

import zlib
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable
from scipy import ndimage

from galmorph.core import ConfigurationError, MorphFlag
from galmorph.images.cutouts import extract_cutouts
from galmorph.images.measurement import clipped_sky, measure_target
from galmorph.images.resampling import resample

__all__ = ["NOT_CLASSIFIED", "Preprocessor", "Stamps"]

NOT_CLASSIFIED = int(
    MorphFlag.BAD_POSITION
    | MorphFlag.OUTSIDE_IMAGE
    | MorphFlag.NO_DATA
    | MorphFlag.FAILED
)
"""The bits of ``morph_flags`` with which a row has no fractions."""

_VERSION = 1
_LARGEST_WINDOW = 2048  # pixels; a window grows no further, to bound the memory
_LOW_SNR = 10
_FEW_PIXELS = 9
_CHOICES = {
    "size_rule": ("petrosian", "fixed"),
    "neighbours": ("noise", "mask", "keep"),
    "stretch": ("asinh", "linear"),
}
_MEASURED = (
    ("x_centroid", None, "Centre of the stamp in 0-based pixels, x"),
    ("y_centroid", None, "Centre of the stamp in 0-based pixels, y"),
    ("petrosian_radius", u.pix, "Circular Petrosian radius (eta = 0.2)"),
    ("petrosian_radius_angle", u.arcsec, "Circular Petrosian radius (eta = 0.2)"),
    ("stamp_side", u.pix, "Side of the stamp in pixels of the image"),
    ("snr", None, "Signal-to-noise ratio of the target's segment"),
    ("sky", None, "Local sky level in the image's unit"),
    ("sky_rms", None, "Standard deviation of the local sky in the image's unit"),
)


@dataclass
class Stamps:
    """
    Stamps of many objects, ready for a network.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float32. Rows that could not be
        used are zero.
    flags : `~numpy.ndarray`
        Bits of `~galmorph.core.MorphFlag`, shape (n,), int32.
    measurements : `~astropy.table.QTable`
        What was measured on the way, n rows; NaN where it could not be.
    failures : dict
        Row -> reason, for the rows with the flag ``FAILED``.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import Preprocessor
    >>> stamps = Preprocessor()([])
    >>> len(stamps), stamps.data.shape
    (0, (0, 45, 45, 1))
    """

    data: np.ndarray
    flags: np.ndarray
    measurements: QTable
    failures: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.data)

    @property
    def usable(self):
        """Which rows can be classified, bool of shape (n,)."""
        return (self.flags & NOT_CLASSIFIED) == 0


@dataclass(frozen=True)
class Preprocessor:
    """
    The way from cutouts to stamps; part of the model that was trained with it.

    The target is the segment at the position. Its centroid becomes the middle
    of the stamp and its Petrosian radius sets the side. The sky is subtracted,
    the pixels are resampled, stretched and scaled so that the target's
    brightest pixel has the value ``peak``. The result depends neither on the flux scale
    of the image nor on a constant that was added to it.

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
    neighbours : {'noise', 'mask', 'keep'}, optional
        What becomes of other segments: noise like that of the sky, sky
        level, or left as they are.
    recenter_limit : float, optional
        The centroid may lie this many pixels from the given position, or a
        quarter of the radius of the segment where that is more.
    stretch : {'asinh', 'linear'}, optional
        Function applied to the sky-subtracted pixels.
    softening : float, optional
        Level, in standard deviations of the sky, at which the stretch turns
        from linear to logarithmic.
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
    peak: float = 5.0
    margin: int = 0

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)!r}; choose one of {choices}"
                )
        least = {
            "shape": 4,
            "window": 16,
            "margin": 0,
            "recenter_limit": 0,
            "deblend_contrast": 0,
        }
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.type == "str" or entry.type is str:
                continue
            bound = least.get(entry.name)
            if bound is None and not value > 0:
                raise ConfigurationError(
                    f"{entry.name}: found {value!r}; it must be above 0"
                )
            if bound is not None and not value >= bound:
                raise ConfigurationError(
                    f"{entry.name}: found {value!r}; it must be {bound} or more"
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
        image : `~astropy.nddata.NDData`
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
        rows, flags, failures = [], [], {}
        side = self.shape + self.margin
        images = []
        for number, cutout in enumerate(cutouts):
            bands = 1 if cutout.data.ndim == 2 else cutout.data.shape[2]
            stamp, values, bits = np.zeros((side, side, bands), np.float32), {}, None
            try:
                stamp, values, bits = self._one(cutout, stamp)
            except Exception as error:  # one bad object never ends a batch
                failures[number] = f"{type(error).__name__}: {error}"
                bits = cutout.flags | MorphFlag.FAILED
            images.append(stamp)
            rows.append([values.get(name, np.nan) for name, _, _ in _MEASURED])
            flags.append(int(bits))
        data = np.stack(images) if images else np.zeros((0, side, side, 1), np.float32)
        rows = np.array(rows, dtype=float).reshape(-1, len(_MEASURED))
        table = QTable()
        for (name, unit, description), column in zip(_MEASURED, rows.T, strict=True):
            table[name] = column if unit is None else column * unit
            table[name].info.description = description
        return Stamps(data, np.array(flags, np.int32), table, failures)

    def _one(self, cutout, empty):
        if cutout.flags & NOT_CLASSIFIED:
            return empty, {}, cutout.flags
        target = measure_target(cutout, self)
        while target is not None and self._too_small(cutout, target):
            cutout = cutout.enlarged()
            target = measure_target(cutout, self)
        if target is None:
            return empty, {}, cutout.flags | MorphFlag.NO_DATA
        side, flags = self._side(cutout, target)
        stamp, more = self._stamp(cutout, target, side)
        values = {
            "x_centroid": target.x + cutout.origin[1],
            "y_centroid": target.y + cutout.origin[0],
            "petrosian_radius": target.radius,
            "petrosian_radius_angle": target.radius * cutout.pixel_scale,
            "stamp_side": side,
            "snr": target.snr,
            "sky": target.sky,
            "sky_rms": target.rms,
        }
        return stamp, values, target.flags | flags | more

    def _side(self, cutout, target):
        flags = 0
        if self.size_rule == "fixed":
            if not cutout.pixel_scale > 0:
                raise ConfigurationError(
                    "pixel_scale: the size rule 'fixed' needs it, and the image has"
                    " none; give pixel_scale"
                )
            side = self.fixed_size / cutout.pixel_scale
        elif target.label == 0:
            side = self.default_side
        elif np.isfinite(target.radius):
            side = self.size_factor * target.radius
        else:
            flags = MorphFlag.PETROSIAN_LIMIT
            rows, columns = np.nonzero(target.segments == target.label)
            reach = np.hypot(rows - target.y, columns - target.x).max()
            side = self.size_factor * reach
        return max(float(side), self.min_side), int(flags)

    def _too_small(self, cutout, target):
        if cutout.is_whole or max(cutout.data.shape[:2]) >= _LARGEST_WINDOW:
            return False
        ny, nx = cutout.data.shape[:2]
        height, width = cutout.parent[0].data.shape[:2]
        y0, x0 = cutout.origin
        half = self._side(cutout, target)[0] * (1 + self.margin / self.shape) / 2
        own = target.segments == target.label if target.label else None
        # an edge of the window that is also the image's edge cannot be moved
        return any(
            (reach < 0 or (own is not None and own[rim].any())) and not fixed
            for reach, rim, fixed in (
                (target.y - half, (0,), y0 == 0),
                (target.x - half, (slice(None), 0), x0 == 0),
                (ny - 1 - target.y - half, (-1,), y0 + ny == height),
                (nx - 1 - target.x - half, (slice(None), -1), x0 + nx == width),
            )
        )

    def _stamp(self, cutout, target, side):
        flags = 0
        own = (target.segments == target.label) & (target.label != 0)
        others = (target.segments != 0) & ~own
        flags |= self._quality(cutout, target, side, own, others)
        replaced = np.zeros_like(others)
        if self.neighbours != "keep":
            # the wings of a neighbour reach beyond its segment
            replaced = ndimage.binary_dilation(others, iterations=2) & ~own
        bad = cutout.mask | ~np.isfinite(target.plane)
        bands = cutout.data if cutout.data.ndim == 3 else cutout.data[..., None]
        # the same noise for an object whatever its unit, row or batch
        seed = zlib.crc32(np.packbits(target.segments != 0).tobytes())
        random = np.random.default_rng(seed)
        shape = self.shape + self.margin
        side = side * shape / self.shape
        inside = resample(own, target.x, target.y, side, shape) > 0.5
        stamp = np.zeros((shape, shape, bands.shape[2]), np.float32)
        for band in range(bands.shape[2]):
            plane, rms = target.plane, target.rms
            if bands.shape[2] > 1:
                plane, rms = self._band(bands[..., band], target, bad)
            if not rms > 0:
                rms = max(1e-3 * float(np.max(plane)), np.finfo(float).tiny)
            plane = plane / rms
            if np.any(bad & own):
                plane = _interpolated(plane, bad & own)
            fill = replaced | (bad & ~own)
            if self.neighbours == "noise":
                plane = np.where(fill, random.normal(size=plane.shape), plane)
            else:
                plane = np.where(fill, 0.0, plane)
            stamp[..., band] = self._stretched(
                resample(plane, target.x, target.y, side, shape), inside
            )
        return stamp, int(flags)

    def _band(self, data, target, bad):
        off = ~bad & (target.segments == 0)
        sky, rms = clipped_sky(data[off] if off.sum() >= 32 else data[~bad])
        return np.where(bad, 0.0, data - sky), rms

    def _stretched(self, stamp, inside):
        if not inside.any():
            quarter = stamp.shape[0] // 4
            inside = np.zeros_like(inside)
            inside[quarter:-quarter, quarter:-quarter] = True
        # noise alone is not to be blown up to the brightness of a galaxy
        brightest = max(float(stamp[inside].max()), self.softening)
        if self.stretch == "asinh":
            stamp = np.arcsinh(stamp / self.softening)
            brightest = np.arcsinh(brightest / self.softening)
        return stamp * np.float32(self.peak / brightest)

    def _quality(self, cutout, target, side, own, others):
        flags = 0
        ny, nx = cutout.data.shape[:2]
        low = min(target.x, target.y) - side / 2
        high = max(target.x - nx, target.y - ny) + side / 2
        if low < -0.5 or high > -0.5:
            flags |= MorphFlag.PARTIAL_STAMP
        if target.snr < _LOW_SNR:
            flags |= MorphFlag.LOW_SNR
        if min(ny, nx) < _FEW_PIXELS or 0 < own.sum() < _FEW_PIXELS:
            flags |= MorphFlag.UNRESOLVED
        if target.label:
            y, x = np.ogrid[:ny, :nx]
            near = np.maximum(abs(y - target.y), abs(x - target.x)) <= side / 2
            labels = np.where(near & others, target.segments, 0)
            fluxes = np.bincount(labels.ravel(), target.plane.ravel())[1:]
            if fluxes.size and fluxes.max() > target.plane[own].sum():
                flags |= MorphFlag.NEIGHBOUR
        return int(flags)


def _interpolated(plane, bad):
    weight = ndimage.gaussian_filter((~bad).astype(float), 2)
    value = ndimage.gaussian_filter(np.where(bad, 0.0, plane), 2)
    return np.where(bad, value / np.maximum(weight, 1e-6), plane)

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
From raw cutouts to the stamps that a network reads.
"""

from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real

import numpy as np

from galmorph.core import ConfigurationError, MorphFlag
from galmorph.images.cutouts import extract_cutouts
from galmorph.images.measurement import measure_target
from galmorph.images.rendering import quality_flags, render_stamp
from galmorph.images.stamps import NOT_CLASSIFIED, Stamps, measurement_table

__all__ = ["Preprocessor"]

_VERSION = 1
_LARGEST_WINDOW = 2048  # pixels; a window grows no further, to bound the memory
_CHOICES = {
    "size_rule": ("petrosian", "fixed"),
    "neighbours": ("noise", "mask", "keep"),
    "stretch": ("asinh", "linear"),
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
        side = self.shape + self.margin
        images, rows, flags, failures = [], [], [], {}
        for number, cutout in enumerate(cutouts):
            bands = 1 if cutout.data.ndim == 2 else cutout.data.shape[2]
            stamp, values = np.zeros((side, side, bands), np.float32), {}
            try:
                with np.errstate(all="ignore"):
                    stamp, values, bits = self._one(cutout, stamp)
            except Exception as error:  # one bad object never ends a batch
                failures[number] = f"{type(error).__name__}: {error}"
                bits = cutout.flags | MorphFlag.FAILED
            images.append(stamp)
            rows.append(values)
            flags.append(int(bits))
        data = np.stack(images) if images else np.zeros((0, side, side, 1), np.float32)
        flags = np.array(flags, np.int32)
        return Stamps(data, flags, measurement_table(rows), failures)

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
        flags |= target.flags | quality_flags(target, side)
        if flags & NOT_CLASSIFIED:
            return empty, {}, cutout.flags | MorphFlag.NO_DATA
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
        return render_stamp(cutout, target, side, self), values, flags

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
            side = self.size_factor * target.reach
        return max(float(side), self.min_side), int(flags)

    def _too_small(self, cutout, target):
        if cutout.is_whole or max(cutout.data.shape[:2]) >= _LARGEST_WINDOW:
            return False
        ny, nx = cutout.data.shape[:2]
        height, width = cutout.parent[0].data.shape[:2]
        y0, x0 = cutout.origin
        half = self._side(cutout, target)[0] * (1 + self.margin / self.shape) / 2
        own = target.own
        # an edge of the window that is also the image's edge cannot be moved
        return any(
            (reach < 0 or own[rim].any()) and not fixed
            for reach, rim, fixed in (
                (target.y - half, (0,), y0 == 0),
                (target.x - half, (slice(None), 0), x0 == 0),
                (ny - 1 - target.y - half, (-1,), y0 + ny == height),
                (nx - 1 - target.x - half, (slice(None), -1), x0 + nx == width),
            )
        )

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the preprocessing measures on cutouts: sky, segments, centre and size.

Cutouts of one shape are measured together, as stacks of arrays.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.core import MorphFlag
from galmorph.images.blends import blended_targets, deblend
from galmorph.images.centering import centroids_of_pixels
from galmorph.images.petrosian import petrosian_radii
from galmorph.images.segmentation import (
    FWHM_TO_SIGMA,
    Members,
    fill_holes,
    find_segments,
    labels_at,
    narrow_gaps,
    near_segments,
    one_piece,
    pixels_of,
    touching,
)
from galmorph.images.sky import (
    clipped_sky,
    counts,
    fill_from_nearest,
    in_sigmas,
    nearest_good,
    noise_unit,
    value_steps,
)

__all__ = ["Stack", "Targets", "measure_targets", "stack_cutouts"]

# of 400 simulated galaxies 99 % have a Petrosian radius below 1.9 times the reach of
# their segment; beyond 3 times it is the light of a neighbour that was measured
_FARTHEST = 3


@dataclass
class Stack:
    """
    Cutouts of one shape.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Pixels, shape (n, ny, nx) or (n, ny, nx, bands).
    mask : `~numpy.ndarray` of bool
        Pixels not to be used, shape (n, ny, nx).
    rms : `~numpy.ndarray` or None
        Standard deviation of each pixel, shape (n, ny, nx).
    segmentation : `~numpy.ndarray` of int or None
        Given segmentations, shape (n, ny, nx).
    label : `~numpy.ndarray` of int
        Labels of the targets in them; 0 where they are not known.
    x, y : `~numpy.ndarray`
        Positions in the cutouts.
    """

    data: np.ndarray
    mask: np.ndarray
    rms: np.ndarray | None
    segmentation: np.ndarray | None
    label: np.ndarray
    x: np.ndarray
    y: np.ndarray


@dataclass
class Targets:
    """
    What was measured of the objects of a stack, in the pixels of the cutouts.

    Parameters
    ----------
    planes : `~numpy.ndarray`
        Mean of the bands with the sky subtracted, in standard deviations of
        the sky, float32 of shape (n, ny, nx). Bad pixels within the target and
        in narrow gaps are interpolated, others are zero.
    bad : `~numpy.ndarray` of bool
        Pixels that could not be used, shape (n, ny, nx).
    segments : `~numpy.ndarray` of int
        Segmentations, 0 for sky.
    label : `~numpy.ndarray` of int
        The targets' labels; 0 where no segment was found.
    own : `~numpy.ndarray` of bool
        Pixels of the targets.
    joined : `~numpy.ndarray` of bool
        Pixels of the targets and of what touches them.
    area, flux : `~numpy.ndarray`
        Number of these pixels, and their sum.
    box : tuple of `~numpy.ndarray`
        First and last row and column of each target; -1 without a target.
    x, y : `~numpy.ndarray`
        Centres.
    radius : `~numpy.ndarray`
        Petrosian radii; NaN where it was not reached near the segment.
    reach : `~numpy.ndarray`
        Largest distance of a pixel of the target from its centre.
    snr : `~numpy.ndarray`
        Signal-to-noise ratios.
    sky, rms : `~numpy.ndarray`
        Level and standard deviation of the sky, as seen in the mean of bands.
    flags : `~numpy.ndarray` of int
        Bits of `~galmorph.core.MorphFlag`; ``NO_DATA`` where no pixel can be
        used.
    """

    planes: np.ndarray
    bad: np.ndarray
    segments: np.ndarray
    label: np.ndarray
    own: np.ndarray
    joined: np.ndarray
    area: np.ndarray
    flux: np.ndarray
    box: tuple
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    reach: np.ndarray
    snr: np.ndarray
    sky: np.ndarray
    rms: np.ndarray
    flags: np.ndarray


def stack_cutouts(cutouts):
    """
    Put cutouts of one shape into arrays.

    Parameters
    ----------
    cutouts : list of `~galmorph.images.RawCutout`
        All with, or all without, the standard deviation and the segmentation.

    Returns
    -------
    stack : `Stack`
    """

    def stacked(name):
        planes = [getattr(cutout, name) for cutout in cutouts]
        return None if planes[0] is None else np.stack(planes)

    segmentation = stacked("segmentation")
    return Stack(
        data=stacked("data"),
        mask=stacked("mask"),
        rms=stacked("rms"),
        segmentation=segmentation,
        # without a segmentation a label means nothing
        label=np.array([0 if segmentation is None else c.label for c in cutouts]),
        x=np.array([cutout.x for cutout in cutouts], float),
        y=np.array([cutout.y for cutout in cutouts], float),
    )


def measure_targets(stacks, config):
    """
    Find and measure the objects at the positions of cutouts.

    Parameters
    ----------
    stacks : list of `Stack`
    config : `~galmorph.images.Preprocessor`
        Gives the settings of the segmentation and ``recenter_limit``.

    Returns
    -------
    targets : list of `Targets`
        One for each stack.
    """
    found = [_Found(stack, config) for stack in stacks]
    # many at once are faster
    deblend([blend for one in found for blend in one.blends], config.deblend_contrast)
    return [one.measured() for one in found]


class _Found:
    """The targets of a stack before they are separated from what touches them."""

    def __init__(self, stack, config):
        self.stack, self.config = stack, config
        data = stack.data if stack.data.ndim == 3 else stack.data.mean(axis=-1)
        good = np.isfinite(data)
        good &= ~stack.mask
        flawed = self.flawed = _Flawed(~good)
        data[~good] = 0
        self.sky, self.rms, segments, smooth = _sky_and_segments(
            data, good, flawed, stack, config
        )
        self.unit = noise_unit(data, good, self.sky, self.rms)
        planes = in_sigmas(data, good, self.sky, self.unit)
        self.filled = flawed.filled(planes)
        flawed.use(planes, self.filled, flawed.gaps)
        label = _labels(segments, stack)
        if stack.segmentation is not None:
            one_piece(segments, label, stack.x, stack.y)
        for k, i in enumerate(flawed.rows):
            if label[i]:
                holes = fill_holes(segments[i] == label[i], flawed.bad[k])
                segments[i][holes] = label[i]
                planes[i][holes] = self.filled[k][holes]
        self.planes, self.segments, self.label, self.blends = (
            planes,
            segments,
            label,
            [],
        )
        if stack.segmentation is None and config.deblend_contrast:
            untouched = np.ones(len(data), bool)
            untouched[flawed.rows] = False
            smooth = smooth(self.sky, self.unit)
            self.blends = blended_targets(
                planes, smooth, segments, label, untouched, config
            )

    def measured(self):
        """Centres, sizes and brightness of the targets."""
        stack, planes, segments, flawed = (
            self.stack,
            self.planes,
            self.segments,
            self.flawed,
        )
        n = len(planes)
        label = _labels(segments, stack) if self.blends else self.label
        own = pixels_of(segments, label)
        flawed.use(planes, self.filled, own[flawed.rows])
        members = Members(own)
        values, owner = members.of(planes), members.owner
        bad = np.zeros(own.shape, bool)
        bad[flawed.rows] = flawed.bad
        found = members.count > 0
        flags = np.where(found, 0, int(MorphFlag.NO_SOURCE))
        flags[flawed.hopeless] |= int(MorphFlag.NO_DATA)
        usable = ~members.of(bad)
        masked = np.bincount(owner, ~usable, n) > 0
        flags[masked] |= int(MorphFlag.MASKED_PIXELS)

        x, y = centroids_of_pixels(values, members.row, members.column, owner, n)
        radius = np.sqrt(members.count / np.pi)
        limit = np.maximum(self.config.recenter_limit, 0.25 * radius)
        far = ~(np.hypot(x - stack.x, y - stack.y) <= limit)
        flags[far & found] |= int(MorphFlag.RECENTER_LIMIT)
        x, y = np.where(far, stack.x, x), np.where(far, stack.y, y)
        distance = np.hypot(members.row - y[owner], members.column - x[owner])
        reach = members.largest(distance, 0.0)
        # neighbours and bad pixels tell nothing of the target's light
        used = segments == 0
        used &= ~bad
        used |= own
        radius = petrosian_radii(
            planes, x, y, used, rows=np.flatnonzero(found), guess=reach
        )
        radius[radius > _FARTHEST * reach] = np.nan
        return Targets(
            planes=planes,
            bad=bad,
            segments=segments,
            label=label,
            own=own,
            joined=self._joined(segments, own),
            area=members.count,
            flux=np.bincount(owner, values, n),
            box=members.boxes(),
            x=x,
            y=y,
            radius=radius,
            reach=reach,
            snr=self._signal_to_noise(members, values, usable),
            sky=self.sky,
            rms=self.rms,
            flags=flags,
        )

    def _joined(self, segments, own):
        """Pixels of the targets and of what touches them."""
        if self.config.neighbours != "apart":
            return own
        if self.stack.segmentation is not None:
            return touching(segments, own)
        # segments touch where one was divided, or where bad pixels are filled in
        joined = own.copy()
        for blend in self.blends:
            number, *box = blend.box
            joined[(number, *box)] = blend.own
        rows = self.flawed.rows
        if rows.size:
            joined[rows] = touching(segments[rows], own[rows])
        return joined

    def _signal_to_noise(self, members, values, usable):
        owner, rms = members.owner[usable], self.stack.rms
        light = np.bincount(owner, values[usable], members.n)
        noise = np.ones(len(owner))
        if rms is not None:
            noise = members.of(rms)[usable] / self.unit.astype(rms.dtype)[owner]
            known = np.isfinite(noise) & (noise > 0)
            noise = np.where(known, noise, 1.0).astype(float)
        variance = np.bincount(owner, noise * noise, members.n)
        return np.divide(
            light, np.sqrt(variance), out=np.zeros(members.n), where=variance > 0
        )


class _Flawed:
    """The images of a stack that have bad pixels, and what replaces these."""

    def __init__(self, bad):
        self.rows = np.flatnonzero(bad.any(axis=(1, 2)))
        self.bad = bad[self.rows]
        self.hopeless = self.rows[self.bad.all(axis=(1, 2))]
        self.gaps = narrow_gaps(self.bad) if self.rows.size else self.bad
        self.nearest = nearest_good(self.bad)

    def filled(self, planes):
        """These images without bad pixels."""
        if not self.rows.size:
            return planes[:0]
        return fill_from_nearest(planes[self.rows], self.bad, self.nearest)

    def use(self, planes, filled, where):
        """Replace pixels of these images by filled ones; in place."""
        if self.rows.size:
            planes[self.rows] = np.where(where, filled, planes[self.rows])


def _labels(segments, stack):
    given = stack.label != 0
    if not given.any():
        return labels_at(segments, stack.x, stack.y)
    there = pixels_of(segments, stack.label).any(axis=(1, 2))
    label = np.where(there, stack.label, 0)
    rest = ~given
    label[rest] = labels_at(segments[rest], stack.x[rest], stack.y[rest])
    return label


def _sky_and_segments(data, good, flawed, stack, config):
    """
    Level and noise of the sky off the segments, which need both.

    The last value gives the smoothed images for a sky and a unit; without a
    segmentation only.
    """
    sky, rms = clipped_sky(data, good)
    # steps between the values hide noise that is smaller
    steps = value_steps(data, good)
    rms = np.maximum(rms, steps)
    n_good = counts(good)

    def refined(segments):
        """Sky of what is off the segments."""
        off = good & ~near_segments(segments)
        # with little sky in the cutout its faintest part has to serve
        enough = counts(off) >= np.maximum(32, 0.02 * n_good)
        new_sky, new_rms = clipped_sky(data, off)
        new_rms = np.where(enough, np.maximum(new_rms, steps), rms)
        return np.where(enough, new_sky, sky), new_rms

    if stack.segmentation is not None:
        return *refined(stack.segmentation), stack.segmentation, None

    first_sky, first_unit = sky, noise_unit(data, good, sky, rms)
    planes = in_sigmas(data, good, sky, first_unit)
    flawed.use(planes, flawed.filled(planes), flawed.gaps)
    sigma = config.smoothing_fwhm * FWHM_TO_SIGMA
    kernel = {"sigma": (0, sigma, sigma), "mode": "nearest"}
    smoothed = ndimage.gaussian_filter(planes, **kernel)
    wide = flawed.bad & ~flawed.gaps
    # wide gaps hold the level of the sky, whatever that is
    hidden = wide.astype(np.float32)
    if flawed.rows.size:
        hidden = ndimage.gaussian_filter(hidden, **kernel)

    def smooth(sky, unit):
        """To smooth once is enough: another sky is another zero and unit."""
        factor = (first_unit / unit).astype(np.float32)[:, None, None]
        offset = ((first_sky - sky) / unit).astype(np.float32)[:, None, None]
        out = smoothed * factor
        if flawed.rows.size:
            out[flawed.rows] -= offset[flawed.rows] * hidden
        out += offset
        return out

    unit = first_unit
    for _ in range(2):
        above = smooth(sky, unit) > config.n_sigma * _noise(stack.rms, unit)
        if flawed.rows.size:
            above[flawed.rows] &= ~wide
        segments = find_segments(above)
        sky, rms = refined(segments)
        unit = noise_unit(data, good, sky, rms)
    return sky, rms, segments, smooth


def _noise(rms, unit):
    """Standard deviation of each pixel in a unit for each image."""
    if rms is None:
        return 1.0
    noise = rms / unit.astype(rms.dtype)[:, None, None]
    unknown = ~(np.isfinite(noise) & (noise > 0))
    noise[unknown] = 1.0
    return noise

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Small made things that tests of several rooms share.
"""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from galmorph.core import CANDELS

PIXEL_SCALE = 0.06


def save_tiny_bundle(path):
    """A bundle of an untrained network, the same at every call."""
    import keras

    from galmorph import models
    from galmorph.images import Preprocessor

    keras.utils.set_random_seed(1)
    model = models.build("dense_ann", n_outputs=5, input_shape=(45, 45, 1))
    return models.save_bundle(
        path,
        [model],
        name="tiny",
        scheme=CANDELS,
        preprocessor=Preprocessor().to_dict(),
        architecture="dense_ann",
        input_shape=(45, 45, 1),
        card="An untrained network, for tests.",
    )


def tan_wcs(ra=53.1, dec=-27.8, centre=(75.0, 75.0)):
    """A tangential WCS of 0.06 arcsec a pixel; ``centre`` is 0-based."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [centre[0] + 1, centre[1] + 1]
    wcs.wcs.cdelt = [-PIXEL_SCALE / 3600, PIXEL_SCALE / 3600]
    return wcs


def galaxy_image(shape=(80, 80), positions=((40.0, 40.0),), seed=1, flux=200.0):
    """Exponential disks of 4 pixels' scale length on noise of 1; x, y positions."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape)
    y, x = np.indices(shape)
    for x0, y0 in positions:
        image += flux * np.exp(-np.hypot(x - x0, 1.5 * (y - y0)) / 4) / 4
    return image.astype(np.float32)


def write_fits(path, data, wcs=None):
    """Write an image and give its path."""
    header = None if wcs is None else wcs.to_header()
    fits.PrimaryHDU(data, header).writeto(path)
    return path

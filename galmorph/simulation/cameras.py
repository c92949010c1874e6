# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Cameras other than the default one, by name.

The numbers are rounded from the handbooks of the instruments and the papers of
the surveys, to make images that are alike, not to calibrate any.
"""

from dataclasses import replace

from galmorph.core import ConfigurationError
from galmorph.simulation.instruments import WFC3_F160W, Instrument

__all__ = ["INSTRUMENTS", "get_instrument"]

# ACS Instrument Handbook; COSMOS (Koekemoer et al. 2007, ApJS 172, 196) and
# CANDELS (Koekemoer et al. 2011, ApJS 197, 36)
_ACS_F814W = Instrument(
    name="ACS F814W",
    pixel_scale=0.05,
    zero_point=25.95,
    diameter=2.4,
    obscuration=0.33,
    wavelengths=(740.0, 810.0, 890.0),
    detector_scale=0.05,
    jitter=0.022,
    sky=0.12,
    read_noise=4.2,
    readout=500.0,
    depths=(("wide", 2000.0, 0.5), ("deep", 12000.0, 0.4), ("hudf", 5.0e4, 0.1)),
    neighbour_weight=0.15,
    magnitudes=(18.0, 25.5),
    halo=0.08,
    halo_radius=0.25,
)

# JWST User Documentation; CEERS (Finkelstein et al. 2023, ApJL 946, L13) and
# JADES (Rieke et al. 2023, ApJS 269, 16)
_NIRCAM_F150W = Instrument(
    name="NIRCam F150W",
    pixel_scale=0.03,
    zero_point=28.0,
    diameter=6.5,
    obscuration=0.15,
    wavelengths=(1380.0, 1500.0, 1620.0),
    detector_scale=0.031,
    jitter=0.010,
    sky=0.22,
    read_noise=9.0,
    readout=900.0,
    depths=(("wide", 2800.0, 0.6), ("deep", 2.0e4, 0.4)),
    neighbour_weight=0.15,
    magnitudes=(18.0, 26.0),
    halo=0.10,
    halo_radius=0.15,
)

# Cropper et al. 2025 (A&A 697, A2): Euclid's visible imager
_EUCLID_VIS = Instrument(
    name="Euclid VIS",
    pixel_scale=0.1,
    zero_point=25.6,
    diameter=1.2,
    obscuration=0.33,
    wavelengths=(600.0, 720.0, 850.0),
    detector_scale=0.1,
    jitter=0.03,
    sky=0.25,
    read_noise=4.0,
    readout=566.0,
    depths=(("wide", 2260.0, 0.8), ("deep", 9.0e4, 0.2)),
    neighbour_weight=0.10,
    magnitudes=(17.0, 24.5),
    halo=0.06,
    halo_radius=0.3,
)

# Ivezic et al. 2019 (ApJ 873, 111): LSST after one and after ten years
_LSST_R = Instrument(
    name="LSST r",
    pixel_scale=0.2,
    zero_point=28.4,
    diameter=8.4,
    obscuration=0.6,
    wavelengths=(620.0,),
    detector_scale=0.2,
    jitter=0.0,
    sky=29.0,
    read_noise=9.0,
    readout=30.0,
    depths=(("year1", 550.0, 0.5), ("year10", 5500.0, 0.5)),
    neighbour_weight=0.15,
    magnitudes=(16.0, 23.0),
    fwhm=0.75,
)

# York et al. 2000 (AJ 120, 1579)
_SDSS_R = Instrument(
    name="SDSS r",
    pixel_scale=0.396,
    zero_point=25.9,
    diameter=2.5,
    obscuration=0.5,
    wavelengths=(620.0,),
    detector_scale=0.396,
    jitter=0.0,
    sky=16.0,
    read_noise=5.0,
    readout=54.0,
    depths=(("single", 54.0, 1.0),),
    neighbour_weight=0.0,
    magnitudes=(13.0, 18.5),
    fwhm=1.3,
)

INSTRUMENTS = {
    "wfc3_f160w": WFC3_F160W,
    "acs_f814w": _ACS_F814W,
    "acs_f814w_30mas": replace(
        _ACS_F814W,
        name="ACS F814W 30 mas",
        pixel_scale=0.03,
        neighbour_weight=0.30,
        pixfrac=0.8,
        exposure=500.0,
    ),
    "nircam_f150w": _NIRCAM_F150W,
    "nircam_f200w": replace(
        _NIRCAM_F150W,
        name="NIRCam F200W",
        zero_point=28.2,
        wavelengths=(1800.0, 1990.0, 2180.0),
        sky=0.20,
    ),
    "euclid_vis": _EUCLID_VIS,
    "lsst_r": _LSST_R,
    "sdss_r": _SDSS_R,
}
"""Cameras by name."""


def get_instrument(name):
    """
    A camera by its name.

    Parameters
    ----------
    name : str
        One of `INSTRUMENTS`, in capitals or not.

    Returns
    -------
    instrument : `Instrument`

    Raises
    ------
    ConfigurationError
        If no camera has the name.

    Examples
    --------
    >>> from galmorph.simulation import get_instrument
    >>> get_instrument("euclid_vis").pixel_scale
    0.1
    """
    try:
        return INSTRUMENTS[str(name).lower()]
    except KeyError:
        raise ConfigurationError(
            f"instrument: found {name!r}; there are {', '.join(INSTRUMENTS)}"
        ) from None

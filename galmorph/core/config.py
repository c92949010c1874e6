# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Settings of galmorph in astropy's configuration system.
"""

from astropy.config import ConfigItem, ConfigNamespace

__all__ = ["Conf", "conf"]

# the top of galmorph.cfg, not a section named after this module
_SECTION = "galmorph"


class Conf(ConfigNamespace):
    """
    Configuration parameters of `galmorph`.

    They can be set in astropy's configuration folder, in the file
    ``galmorph.cfg`` (``batch_size = 64``, a line each), or for a while with
    ``conf.set_temp``.

    Examples
    --------
    >>> from galmorph import conf
    >>> with conf.set_temp("batch_size", 64):
    ...     conf.batch_size
    64
    """

    default_model = ConfigItem(
        "",
        "Name of the model that is used where none is given; empty means the"
        " registry's default.",
        cfgtype="string",
        module=_SECTION,
    )
    model_mirrors = ConfigItem(
        [],
        "Addresses (http, https or file) under which model files are looked for"
        " before the registry's own addresses.",
        cfgtype="string_list",
        module=_SECTION,
    )
    batch_size = ConfigItem(
        256,
        "Number of images that are read and preprocessed at a time.",
        cfgtype="integer(min=1)",
        module=_SECTION,
    )


conf = Conf()

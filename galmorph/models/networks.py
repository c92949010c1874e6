# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Networks by name, for any label scheme.
"""

from galmorph.core import ConfigurationError, get_scheme
from galmorph.models._keras import keras
from galmorph.models.layers import DecisionTree, Maxout

__all__ = ["architectures", "build"]


def _normal(sigma):
    return keras.initializers.RandomNormal(stddev=sigma)


def _weights(sigma, bias):
    return {
        "kernel_initializer": _normal(sigma),
        "bias_initializer": keras.initializers.Constant(bias),
        "dtype": "float32",
    }


def _hc15(images, *, maxout=True, dropout=0.5):
    """The seven layers of HC15; with ``maxout=False`` the dense ones are ReLU."""
    layers = keras.layers
    x = images
    # filters, size, initial sigma, and whether pooling follows
    convolutions = [
        (32, 6, 0.01, True),
        (64, 5, 0.01, True),
        (128, 3, 0.01, False),
        (128, 3, 0.1, True),
    ]
    for number, (filters, size, sigma, pool) in enumerate(convolutions, 1):
        x = layers.Conv2D(
            filters,
            size,
            activation="relu",
            name=f"conv{number}",
            **_weights(sigma, 0.1),
        )(x)
        if pool:
            x = layers.MaxPooling2D(2, name=f"pool{number}", dtype="float32")(x)
    x = layers.Flatten(name="flatten", dtype="float32")(x)
    for number in (1, 2):
        name, weights = f"dense{number}", _weights(0.001, 0.01)
        if maxout:
            x = Maxout(2048, pieces=2, name=name, **weights)(x)
        else:
            x = layers.Dense(2048, activation="relu", name=name, **weights)(x)
        x = layers.Dropout(dropout, name=f"dropout{number}", dtype="float32")(x)
    return x


def _dense_ann(images, *, units=(512, 256, 128), dropout=0.0):
    """Fully connected baseline; the sizes are this package's choice."""
    layers = keras.layers
    x = layers.Flatten(name="flatten", dtype="float32")(images)
    for number, width in enumerate(units, 1):
        x = layers.Dense(
            width,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"dense{number}",
            dtype="float32",
        )(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout{number}", dtype="float32")(x)
    return x


_ARCHITECTURES = {"dense_ann": _dense_ann, "hc15": _hc15}
_OUTPUT = {"hc15": lambda: _weights(0.01, 0.1), "dense_ann": lambda: _weights(0.01, 0)}


def architectures():
    """
    Names of the networks that `build` makes.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from galmorph.models import architectures
    >>> architectures()
    ['dense_ann', 'hc15']
    """
    return sorted(_ARCHITECTURES)


def build(
    architecture, n_outputs=None, input_shape=(45, 45, 1), *, scheme=None, **options
):
    """
    Make an untrained network.

    ``'hc15'`` is the network of Huertas-Company et al. (2015, ApJS 221, 8) after
    Dieleman, Willett & Dambre (2015, MNRAS 450, 1441): convolutions of 32 filters
    of 6x6 pixels, 64 of 5x5, 128 of 3x3 and 128 of 3x3, with pooling by 2 after
    all but the third, then two dense layers of 2048 maxout units with dropout.
    ``'dense_ann'`` is a fully connected baseline of three ReLU layers.

    Parameters
    ----------
    architecture : str
        ``'hc15'`` or ``'dense_ann'``.
    n_outputs : int, optional
        Number of outputs; by default that of the scheme.
    input_shape : tuple of int, optional
        Height, width and number of bands of a stamp.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        What the outputs mean. With questions, they obey its decision tree
        (`DecisionTree`); else each is a fraction by itself (sigmoid).
    **options
        For ``'hc15'``: ``maxout`` (default `True`; `False` for ReLU) and
        ``dropout`` (0.5). For ``'dense_ann'``: ``units`` (512, 256, 128) and
        ``dropout`` (0).

    Returns
    -------
    model : `keras.Model`
        Stamps (n, height, width, bands) to fractions (n, outputs), float32.

    Raises
    ------
    ConfigurationError
        If there is no such architecture or option, if the stamps are too small
        for it, or if the scheme has another number of outputs.

    Examples
    --------
    >>> from galmorph.models import build
    >>> build("hc15", n_outputs=5, input_shape=(45, 45, 1)).count_params()
    10778085
    """
    if architecture not in _ARCHITECTURES:
        raise ConfigurationError(
            f"architecture: there is no {architecture!r}; known are {architectures()}"
        )
    body = _ARCHITECTURES[architecture]
    unknown = sorted(set(options) - set(body.__kwdefaults__))
    if unknown:
        raise ConfigurationError(
            f"options: {architecture!r} has no {unknown}; it has"
            f" {sorted(body.__kwdefaults__)}"
        )
    scheme = None if scheme is None else get_scheme(scheme)
    if n_outputs is None:
        if scheme is None:
            raise ConfigurationError("n_outputs: give it, or a scheme")
        n_outputs = scheme.n_outputs
    if scheme is not None and n_outputs != scheme.n_outputs:
        raise ConfigurationError(
            f"n_outputs: found {n_outputs}, but the scheme {scheme.name!r} has"
            f" {scheme.n_outputs} outputs"
        )
    if n_outputs < 1:
        raise ConfigurationError(f"n_outputs: must be at least 1; found {n_outputs}")
    if len(input_shape) != 3:
        raise ConfigurationError(
            f"input_shape: expected height, width and bands; found {tuple(input_shape)}"
        )
    images = keras.Input(tuple(input_shape), name="stamps", dtype="float32")
    try:
        features = body(images, **options)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{architecture!r} cannot be built with input_shape={tuple(input_shape)}"
            f" and {options}: {str(error).strip().splitlines()[0]}"
        ) from error
    tree = scheme is not None and bool(scheme.questions)
    outputs = keras.layers.Dense(
        n_outputs,
        activation="linear" if tree else "sigmoid",
        name="output",
        **_OUTPUT[architecture](),
    )(features)
    if tree:
        outputs = DecisionTree(scheme, name="tree", dtype="float32")(outputs)
    return keras.Model(images, outputs, name=architecture)

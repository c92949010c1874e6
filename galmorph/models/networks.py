# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Networks by name, for any label scheme.
"""

from galmorph.core import ConfigurationError, get_scheme
from galmorph.models._keras import keras
from galmorph.models._processors import warn_of_bfloat16
from galmorph.models.layers import DecisionTree, Maxout
from galmorph.models.symmetry import (
    GroupConv2D,
    GroupNormalization,
    GroupPooling,
    JoinedParts,
    Parts,
)

__all__ = ["architectures", "build"]


def _normal(sigma):
    return keras.initializers.RandomNormal(stddev=sigma)


def _weights(sigma, bias):
    return {
        "kernel_initializer": _normal(sigma),
        "bias_initializer": keras.initializers.Constant(bias),
    }


def _convolutions(x):
    """The four convolutions of Dieleman et al. (2015) and HC15, flattened."""
    layers = keras.layers
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
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return layers.Flatten(name="flatten")(x)


def _dense(x, maxout, dropout):
    """Their two dense layers."""
    layers = keras.layers
    for number in (1, 2):
        name, weights = f"dense{number}", _weights(0.001, 0.01)
        if maxout:
            x = Maxout(2048, pieces=2, name=name, **weights)(x)
        else:
            x = layers.Dense(2048, activation="relu", name=name, **weights)(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    return x


def _hc15(images, *, maxout=True, dropout=0.5):
    """The seven layers of HC15; with ``maxout=False`` the dense ones are ReLU."""
    return _dense(_convolutions(images), maxout, dropout)


def _dieleman15(images, *, maxout=True, dropout=0.5, part=45, crop=69):
    """The same convolutions on sixteen turned parts, all seen by the dense layers."""
    x = Parts(part, min(crop, images.shape[1]), name="parts")(images)
    x = _convolutions(x)
    return _dense(JoinedParts(name="joined")(x), maxout, dropout)


def _p4m_resnet(images, *, widths=(4, 8, 16), features=64, dropout=0.3):
    """
    Residual network of group convolutions, for images of any size.

    Kernels and pooling windows are even where the maps are even and odd where
    they are odd, so that they lie symmetrically and nothing is lost at an edge.
    """
    layers = keras.layers

    def activated(x, name):
        x = GroupNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    odd = images.shape[1] % 2
    x = GroupConv2D(widths[0], 5 if odd else 6, strides=2, lift=True, name="stem")(
        images
    )
    x = activated(x, "stem")
    for number, width in enumerate(widths, 1):
        if number > 1:
            window = 3 if x.shape[1] % 2 else 2
            x = layers.MaxPooling2D(window, 2, name=f"pool{number}")(x)
            x = GroupConv2D(width, 3, padding="same", name=f"widen{number}")(x)
            x = activated(x, f"widen{number}")
        y = GroupConv2D(width, 3, padding="same", name=f"conv{number}a")(x)
        y = activated(y, f"conv{number}a")
        y = GroupConv2D(width, 3, padding="same", name=f"conv{number}b")(y)
        x = activated(layers.Add(name=f"add{number}")([x, y]), f"conv{number}b")
    x = GroupConv2D(features, 1, name="features")(
        layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    )
    x = GroupPooling(name="invariants")(activated(x, "features"))
    return layers.Dropout(dropout, name="dropout")(x)


def _dense_ann(images, *, units=(512, 256, 128), dropout=0.0):
    """Fully connected baseline; the sizes are this package's choice."""
    layers = keras.layers
    x = layers.Flatten(name="flatten")(images)
    for number, width in enumerate(units, 1):
        x = layers.Dense(
            width,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"dense{number}",
        )(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    return x


_ARCHITECTURES = {
    "dense_ann": _dense_ann,
    "dieleman15": _dieleman15,
    "hc15": _hc15,
    "p4m_resnet": _p4m_resnet,
}
_SYMMETRIC = ("p4m_resnet",)
_PRECISIONS = ("float32", "mixed_bfloat16")
# bias of the output layer where it is not 0
_OUTPUT_BIAS = {"dieleman15": 0.1, "hc15": 0.1}


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
    ['dense_ann', 'dieleman15', 'hc15', 'p4m_resnet']
    """
    return sorted(_ARCHITECTURES)


def is_symmetric(network):
    """
    Whether a network says the same of an image turned by 90 degrees or mirrored.

    Parameters
    ----------
    network : str or `keras.Model`
        One of `architectures`, or a network that was made by `build`.

    Returns
    -------
    symmetric : bool

    Examples
    --------
    >>> from galmorph.models import is_symmetric
    >>> is_symmetric("p4m_resnet"), is_symmetric("hc15")
    (True, False)
    """
    if isinstance(network, str):
        return network in _SYMMETRIC
    return any(isinstance(layer, GroupPooling) for layer in network.layers)


def build(
    architecture,
    n_outputs=None,
    input_shape=(45, 45, 1),
    *,
    scheme=None,
    precision="float32",
    **options,
):
    """
    Make an untrained network.

    ``'hc15'`` is the network of Huertas-Company et al. (2015, ApJS 221, 8) after
    Dieleman, Willett & Dambre (2015, MNRAS 450, 1441): convolutions of 32 filters
    of 6x6 pixels, 64 of 5x5, 128 of 3x3 and 128 of 3x3, with pooling by 2 after
    all but the third, then two dense layers of 2048 maxout units with dropout.
    ``'dieleman15'`` is that of the latter: the same convolutions look at sixteen
    parts of an image (`Parts`), and the dense layers at all of them.
    ``'p4m_resnet'`` is a residual network whose convolutions are equivariant under
    rotation by 90 degrees and mirroring (`GroupConv2D`), so that its fractions are
    the same for all eight views of a stamp; it has less than 0.1 million weights.
    ``'dense_ann'`` is a fully connected baseline of three ReLU layers.

    Parameters
    ----------
    architecture : str
        One of `architectures`.
    n_outputs : int, optional
        Number of outputs; by default that of the scheme.
    input_shape : tuple of int, optional
        Height, width and number of bands of a stamp.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        What the outputs mean. With questions, they obey its decision tree
        (`DecisionTree`); else each is a fraction by itself (sigmoid).
    precision : {'float32', 'mixed_bfloat16'}, optional
        Precision of the computation, as Keras names it; weights and outputs are
        always float32. A processor that is known to have no instructions for
        bfloat16 is warned of.
    **options
        For ``'hc15'``: ``maxout`` (default `True`; `False` for ReLU) and
        ``dropout`` (0.5). For ``'dieleman15'`` also ``part`` (45) and ``crop``
        (69), the sides of a part and of what the parts cover. For
        ``'p4m_resnet'``: ``widths`` (4, 8, 16), the channels of an orientation
        at each resolution, ``features`` (64) and ``dropout`` (0.3). For
        ``'dense_ann'``: ``units`` (512, 256, 128) and ``dropout`` (0).

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
    if precision not in _PRECISIONS:
        raise ConfigurationError(
            f"precision: found {precision!r}; choose one of {_PRECISIONS}"
        )
    if precision != "float32":
        warn_of_bfloat16()
    images = keras.Input(tuple(input_shape), name="stamps", dtype="float32")
    usual = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(precision)
        features = body(images, **options)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{architecture!r} cannot be built with input_shape={tuple(input_shape)}"
            f" and {options}: {str(error).strip().splitlines()[0]}"
        ) from error
    finally:
        keras.config.set_dtype_policy(usual)
    tree = scheme is not None and bool(scheme.questions)
    outputs = keras.layers.Dense(
        n_outputs,
        activation="linear" if tree else "sigmoid",
        name="output",
        **_weights(0.01, _OUTPUT_BIAS.get(architecture, 0)),
        dtype="float32",
    )(features)
    if tree:
        outputs = DecisionTree(scheme, name="tree", dtype="float32")(outputs)
    return keras.Model(images, outputs, name=architecture)

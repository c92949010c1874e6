# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The networks of a run: where they start, how each is trained, what they say together.
"""

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.images import Preprocessor
from galmorph.training.devices import several_devices
from galmorph.training.trainer import fit, predict

__all__ = ["Start", "built", "domain_of", "is_large", "predictions", "train_member"]

# views of galaxies that the covariance of the features is estimated with
_MOST_OF_DOMAIN = 20_000


class Start:
    """The weights to start from, if any."""

    def __init__(self, bundle):
        from galmorph.models import ModelBundle, load_bundle

        if bundle is not None and not isinstance(bundle, ModelBundle):
            bundle = load_bundle(bundle)
        self._bundle = bundle
        self.sha256 = None if bundle is None else bundle.sha256

    def architecture(self, name, options):
        if self._bundle is None:
            return name or "hc15", dict(options or {})
        found = self._bundle.config["architecture"]
        if name not in (None, found["name"]):
            raise ConfigurationError(
                f"architecture: found {name!r}; the model to start from is a"
                f" {found['name']!r}"
            )
        return found["name"], {**found["options"], **(options or {})}

    def preprocessor(self, given):
        if given is not None or self._bundle is None:
            return given or Preprocessor()
        return Preprocessor.from_dict(self._bundle.preprocessing)

    def give(self, model, scheme, number, training):
        """Copy the weights that fit; rates of those that are to learn slowly."""
        if self._bundle is None:
            return {}
        networks = self._bundle.models()
        source = networks[number % len(networks)]
        known = {layer.name: layer for layer in source.layers}
        same = self._bundle.scheme == scheme
        rates = {}
        for layer in model.layers:
            if layer.name == "output" and not same:
                continue
            values = known[layer.name].get_weights() if layer.name in known else []
            if [value.shape for value in values] != [w.shape for w in layer.weights]:
                raise ConfigurationError(
                    f"start_from: the layer {layer.name!r} of"
                    f" {self._bundle.name!r} does not fit: the stamps must have the"
                    " same shape"
                )
            layer.set_weights(values)
            if layer.name != "output":
                layer.trainable = not training.freeze
                rates |= {w.path: training.trunk_rate for w in layer.weights}
        return rates if training.trunk_rate < 1 and not training.freeze else {}


def train_member(
    network, training_part, validation, folder, *, number, config, start, **how
):
    from galmorph.models._keras import keras

    keras.utils.set_random_seed(config.seed)
    model = built(network, config)
    rates = start.give(model, network["scheme"], number, config)
    with several_devices(config.devices, config.batch_size) as n_devices:
        learner = model
        if n_devices > 1:
            learner = keras.models.clone_model(model)
            learner.set_weights(model.get_weights())
        history = fit(
            learner,
            training_part,
            validation,
            folder,
            config=config,
            rates=rates,
            judge=model,
            **how,
        )
    if is_large(model):
        _round_to_half(model)
    return model, history


def built(network, config):
    from galmorph.models import build

    options = {key: network[key] for key in ("scheme", "input_shape")}
    return build(
        network["architecture"],
        precision=config.precision,
        **options,
        **network["options"],
    )


def is_large(model):
    """Whether the bundle keeps the weights in half precision."""
    return model.count_params() > 2_000_000


def predictions(models, dataset, parts, members, views):
    """
    Mean fractions of the members; in validation, of those that did not see a
    galaxy, and their standard deviation there.
    """
    predicted = {}
    if len(parts["test"]):
        test = dataset.stamps[parts["test"]]
        predicted["test"] = np.mean(
            [predict(model, test, views=views) for model in models], axis=(0, 1)
        )
    total, squares = np.zeros((2, *dataset.labels.shape))
    count = np.zeros((len(dataset), 1))
    for model, (_, rows) in zip(models, members, strict=True):
        found = predict(model, dataset.stamps[rows], views=views).astype(float)
        total[rows] += found.mean(axis=0)
        squares[rows] += np.square(found).mean(axis=0)
        count[rows] += 1
    rows = parts["validation"]
    mean = predicted["validation"] = total[rows] / count[rows]
    variance = squares[rows] / count[rows] - mean**2
    return predicted, np.sqrt(np.maximum(variance, 0))


def domain_of(model, known, held_out, outliers=None, *, views=1):
    """The `~galmorph.models.Domain` of stamps, for a number of views."""
    from galmorph.models._keras import keras
    from galmorph.models.domain import fit_domain, with_features

    _, seen = with_features(model).output
    network = keras.Model(model.input, seen)

    def features(stamps):
        stamps = stamps[..., None] if stamps.ndim == 3 else stamps
        step = -(-len(stamps) * views // _MOST_OF_DOMAIN) or 1
        return predict(network, stamps[::step], views=views)

    if outliers is not None:
        outliers = np.concatenate(features(outliers))
    return fit_domain(np.concatenate(features(known)), features(held_out), outliers)


def _round_to_half(model):
    """Give the weights the precision of the bundle, so that it is what is scored."""
    for weight in model.weights:
        weight.assign(weight.numpy().astype(np.float16).astype(np.float32))

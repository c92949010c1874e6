# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How near the work comes to what the machine can do, and how long it takes to begin.

- The network: its floating-point operations a second over those of a product of large
  matrices (float32, TensorFlow, the same threads), and over those of its convolutions
  alone, one by one, on inputs that are ready.
- Cutting: bytes a second of the windows that are read from a mosaic on disk (which the
  system holds in memory), over those of a copy from memory to memory.
- Start-up: `import galmorph`, and the first classification of one cutout, each in a
  new process, over the import of TensorFlow alone.

What is compared is run in turns, --repeats times, and the least time of each counts:
time of the processors, which other work on the machine changes less than the clock.

    python benchmarks/limits.py
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

GIGA = 1e9


def processors(who=resource.RUSAGE_SELF):
    """Seconds of the processors that this process, or its children, took so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def least(functions, repeats, who=resource.RUSAGE_SELF):
    """The least time of each of some functions, called in turns."""
    times = np.full(len(functions), np.inf)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = processors(who)
            function()
            times[i] = min(times[i], processors(who) - start)
    return times


def frozen(member, spec):
    """The graph of a network with its weights as constants, and its operations."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    function = tf.function(lambda images: member(images, training=False))
    graph = convert_variables_to_constants_v2(function.get_concrete_function(spec))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(graph.graph, options=options)
    return graph.graph, profile.total_float_ops


def convolutions(graph, rows):
    """A function for each convolution and matrix product of a graph, on noise."""
    import tensorflow as tf

    found = []
    for node in graph.as_graph_def().node:
        if node.op not in ("Conv2D", "MatMul"):
            continue
        operation = graph.get_operation_by_name(node.name)
        inputs = [
            tf.random.normal([size or rows for size in tensor.shape])
            for tensor in operation.inputs
        ]
        if node.op == "MatMul":
            function = tf.function(tf.linalg.matmul)
        else:
            strides = list(node.attr["strides"].list.i)
            padding = node.attr["padding"].s.decode()
            function = tf.function(
                lambda images, kernel, strides=strides, padding=padding: tf.nn.conv2d(
                    images, kernel, strides, padding
                )
            )
        found.append(lambda call=function, inputs=inputs: call(*inputs).numpy())
    return found


def network(model, repeats):
    """Operations a second of the network, its convolutions and a matrix product."""
    import tensorflow as tf

    from galmorph import MorphologyClassifier

    classifier = MorphologyClassifier(model)
    predictor, shape = classifier.predictor, classifier.preprocessor.shape
    rows, batches = predictor.rows, 8
    images = np.random.default_rng(1).random((batches * rows, shape, shape, 1))
    images = images.astype(np.float32)
    member, *_ = predictor._models
    views, members = predictor._views, len(predictor._models)
    seen = rows * views
    graph, operations = frozen(member, tf.TensorSpec((seen, shape, shape, 1)))
    matrix = tf.random.normal((2048, 2048))
    functions = [
        lambda: predictor.predict(images),
        lambda: tf.linalg.matmul(matrix, matrix).numpy(),
        *convolutions(graph, seen),
    ]
    for function in functions:
        function()
    whole, product, *alone = least(functions, repeats)
    images_per_second = batches * rows / whole
    whole = operations * batches * members / whole
    product = 2 * 2048**3 / product
    alone = operations / sum(alone)
    mega, times = operations / seen / 1e6, views * members
    print(f"network {classifier.name}: {times} x {mega:.1f} MFLOP an image")
    print(f"  {images_per_second:,.0f} images/s of the processors")
    for what, rate in (
        ("network", whole),
        ("its convolutions alone", alone),
        ("product of matrices", product),
    ):
        print(
            f"  {what:24s}{rate / GIGA:8.1f} GFLOP/s{rate / product:8.2f} of the last"
        )


def cutting(side, window, repeats):
    """Bytes a second that are cut from a file, and that are copied."""
    from astropy.io import fits

    from galmorph.scale import open_tile

    random = np.random.default_rng(1)
    pixels = random.normal(size=(side, side)).astype(np.float32)
    corners = random.integers(0, side - 1024, (40, 2))
    starts = random.integers(0, 1024 - window, (256, 2))
    one = np.ones(1 << 26, np.float32)
    other = np.empty_like(one)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mosaic.fits"
        fits.PrimaryHDU(pixels).writeto(path)
        with open_tile(path) as tile:

            def cut():
                for y, x in corners:
                    part = tile.pixels(np.s_[y : y + 1024, x : x + 1024]).data
                    for i, j in starts:
                        np.array(part[i : i + window, j : j + window])

            cut()
            spent = least([cut, lambda: np.copyto(other, one)], repeats)
    read = len(corners) * 4 * (1024**2 + len(starts) * window**2)
    rate, copied = np.array([read, one.nbytes]) / spent / 2**30
    print(f"cutting {rate:.2f} GiB/s, copying {copied:.2f} GiB/s of the processor")
    print(f"  cutting / copying {rate / copied:.2f}")


FIRST = """
import numpy as np
from galmorph import MorphologyClassifier
y, x = np.indices((96, 96))
galaxy = 100 * np.exp(-np.hypot(x - 48, y - 48) / 5)
MorphologyClassifier().classify(galaxy + np.random.default_rng(1).normal(size=(96, 96)))
"""
STARTS = {
    "nothing": "pass",
    "import galmorph": "from galmorph import MorphologyClassifier",
    "import tensorflow": "import tensorflow",
    "first classification": FIRST,
}


def start_up(repeats):
    """Seconds from the start of Python."""

    def starter(code):
        words = [sys.executable, "-c", code]
        return lambda: subprocess.run(words, check=True, capture_output=True)

    functions = [starter(code) for code in STARTS.values()]
    spent = least(functions, repeats, resource.RUSAGE_CHILDREN)
    for what, seconds in zip(STARTS, spent, strict=True):
        print(f"{what:24s}{seconds:6.2f} s, {seconds / spent[2]:.2f} of TensorFlow's")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", help="name of a registered model")
    parser.add_argument("--side", type=int, default=8000)
    parser.add_argument("--window", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    start_up(options.repeats)
    cutting(options.side, options.window, options.repeats)
    network(options.model, options.repeats)


if __name__ == "__main__":
    main()

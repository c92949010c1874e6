# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How near the work comes to what the machine can do, and how long it takes to begin.

- The network: its floating-point operations a second over those of a product of large
  matrices (float32, TensorFlow, the same threads), and over those of the convolutions
  alone, one by one, on inputs that are ready.
- Cutting: bytes a second of the windows that are read from a mosaic on disk (which the
  system holds in memory), over those of a copy from memory to memory.
- Start-up: `import galmorph`, and the first classification of one cutout, each in a
  new process, the best of --repeats, over the import of TensorFlow alone.

    python benchmarks/limits.py
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def best(function, repeats=5):
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def operations(function, *arguments):
    """Floating-point operations of a traced function, by TensorFlow's profiler."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    concrete = tf.function(function).get_concrete_function(*arguments)
    frozen = convert_variables_to_constants_v2(concrete)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(frozen.graph, options=options)
    convolutions = [
        node
        for node in frozen.graph.as_graph_def().node
        if node.op in ("Conv2D", "MatMul")
    ]
    return profile.total_float_ops, frozen.graph, convolutions


def network(model):
    import tensorflow as tf

    from galmorph import MorphologyClassifier

    classifier = MorphologyClassifier(model)
    predictor, shape = classifier.predictor, classifier.preprocessor.shape
    rows = predictor.rows
    images = np.random.default_rng(1).random((8 * rows, shape, shape, 1), np.float32)
    predictor.predict(images)
    seconds = best(lambda: predictor.predict(images)) / len(images)
    (member, *_) = predictor._models
    spec = tf.TensorSpec((rows, shape, shape, 1), tf.float32)
    total, graph, convolutions = operations(lambda x: member(x, training=False), spec)
    each = total / rows
    a = tf.random.normal((2048, 2048))
    product = 2 * 2048**3 / best(lambda: tf.linalg.matmul(a, a).numpy())
    alone = 0.0
    for node in convolutions:
        inputs = [
            graph.get_tensor_by_name(n if ":" in n else f"{n}:0") for n in node.input
        ]
        values = [tf.random.normal([d or rows for d in t.shape]) for t in inputs]
        if node.op == "Conv2D":
            one = tf.function(
                lambda x, k, node=node: tf.nn.conv2d(
                    x,
                    k,
                    list(node.attr["strides"].list.i),
                    node.attr["padding"].s.decode(),
                )
            )
        else:
            one = tf.function(tf.linalg.matmul)
        one(*values)
        alone += best(lambda one=one, values=values: one(*values).numpy())
    print(f"network {classifier.name}: {each / 1e6:.1f} MFLOP an image")
    print(f"  {1 / seconds:,.0f} images/s, {each / seconds / 1e9:.1f} GFLOP/s")
    print(f"  product of matrices {product / 1e9:.1f} GFLOP/s")
    print(f"  network / product of matrices {each / seconds / product:.2f}")
    print(f"  its convolutions alone / product {total / alone / product:.2f}")
    print(f"  its convolutions alone / all of the network {alone / rows / seconds:.2f}")


def cutting(side, window):
    from astropy.io import fits

    from galmorph.scale import open_tile

    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mosaic.fits"
        fits.PrimaryHDU(random.normal(size=(side, side)).astype(np.float32)).writeto(
            path
        )
        corners = random.integers(0, side - 1024, (40, 2))
        starts = random.integers(0, 1024 - window, (256, 2))
        with open_tile(path) as tile:

            def cut():
                for y, x in corners:
                    part = tile.pixels(np.s_[y : y + 1024, x : x + 1024]).data
                    for i, j in starts:
                        np.array(part[i : i + window, j : j + window])

            cut()
            read = len(corners) * 4 * (1024**2 + len(starts) * window**2)
            cut_rate = read / best(cut)
    one = np.ones(1 << 26, np.float32)
    other = np.empty_like(one)
    copy = one.nbytes / best(lambda: np.copyto(other, one))
    print(f"cutting {cut_rate / 2**30:.2f} GiB/s, copy {copy / 2**30:.2f} GiB/s")
    print(f"  cutting / copy {cut_rate / copy:.2f}")


FIRST = """
import numpy as np
from galmorph import MorphologyClassifier
y, x = np.indices((96, 96))
galaxy = 100 * np.exp(-np.hypot(x - 48, y - 48) / 5)
MorphologyClassifier().classify(galaxy + np.random.default_rng(1).normal(size=(96, 96)))
"""


def start_up(repeats):
    def seconds(code):
        words = [sys.executable, "-c", code]
        return best(
            lambda: subprocess.run(words, check=True, capture_output=True), repeats
        )

    nothing = seconds("pass")
    tensorflow = seconds("import tensorflow")
    for name, code in (
        ("import galmorph", "from galmorph import MorphologyClassifier"),
        ("import tensorflow", "import tensorflow"),
        ("first classification", FIRST),
    ):
        found = seconds(code)
        print(
            f"{name}: {found:.2f} s ({found - nothing:.2f} s beside Python's own start;"
            f" {found / tensorflow:.2f} of importing TensorFlow)"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", help="name of a registered model")
    parser.add_argument("--side", type=int, default=8000)
    parser.add_argument("--window", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    start_up(options.repeats)
    cutting(options.side, options.window)
    network(options.model)


if __name__ == "__main__":
    main()

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated galaxies and stamps per second of one processor core.

The time is that of the processor, the least of several rounds of the same galaxies,
so that other work on the machine counts little::

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/simulation_speed.py 5
"""

import sys
import time

from galmorph import Preprocessor
from galmorph.simulation import simulate_galaxies, simulate_stamps

CHUNK, CHUNKS = 64, 4


def least(work, rounds):
    """Seconds per galaxy, from the best round of each chunk."""
    total = 0.0
    for chunk in range(CHUNKS):
        times = []
        for _ in range(rounds):
            start = time.process_time()
            work(chunk * CHUNK)
            times.append(time.process_time() - start)
        total += min(times)
    return total / (CHUNK * CHUNKS)


def main(rounds):
    """Measure and print."""
    preprocessor = Preprocessor().with_margin(64)

    def galaxies(first):
        simulate_galaxies(CHUNK, seed=1, first=first)

    def stamps(first):
        options = {"preprocessor": preprocessor, "n_workers": 1}
        simulate_stamps(CHUNK, seed=1, first=first, **options)

    for work in (galaxies, stamps):
        work(10 * CHUNK)  # tables are made once
        seconds = least(work, rounds)
        print(f"{work.__name__}: {1e3 * seconds:.2f} ms, {1 / seconds:.0f}/s a core")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)

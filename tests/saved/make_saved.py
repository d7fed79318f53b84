"""Write parameters with the engine that runs here, for `test_parity` to load on the others.

Usage: python tests/saved/make_saved.py (once for each engine and linker; the files are kept)
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from dlt import engine, save_params
from dlt.engine import theano

HERE = os.path.dirname(os.path.abspath(__file__))
#: What every file holds: exact in float32, and one axis longer than the other.
W = (np.arange(12.0).reshape(4, 3) - 5) / 8
b = np.asarray([0.25, -0.5, 1.0])


def main():
    engine.set_floatX("float32")
    linkers = engine.LINKERS if len(sys.argv) < 2 else sys.argv[1:]
    for linker in linkers:
        engine.set_linker(linker)
        params = [
            engine.shared_resident((value / 2).astype("float32"), name=name)
            for name, value in (("W", W), ("b", b))
        ]
        # The engine's own work: only what it has computed lies where it keeps its values.
        theano.function([], updates=[(param, param * 2) for param in params])()
        name = f"{engine.NAME}-{theano.__version__}-{linker}".lower()
        for ending in (".npz", ".pkl"):
            path = os.path.join(HERE, name + ending)
            save_params(path, params, settings={"engine": engine.describe()})
            print("wrote", os.path.basename(path))


if __name__ == "__main__":
    main()

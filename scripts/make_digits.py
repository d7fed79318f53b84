#!/usr/bin/env python3
"""Build `data/digits.pkl.gz`, the small data set that comes with dlt.

The source is the test part of the UCI "Optical Recognition of Handwritten
Digits" (E. Alpaydin and C. Kaynak, 1998, CC BY 4.0) as scikit-learn bundles it:
1797 pictures of 8 x 8 pixels, values 0..16. They are enlarged to the layout of
`mnist.pkl.gz`, so everything works without a download. The script needs
scikit-learn and Pillow (the `test` extra), but no network.

    python scripts/make_digits.py            # write data/digits.pkl.gz
    python scripts/make_digits.py --check    # compare the file with a rebuilt one
"""

import gzip
import hashlib
import io
import os
import sys
from pathlib import Path

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, script
from dlt.errors import SettingsError

OUTPUT = Path(__file__).resolve().parent.parent / "data" / "digits.pkl.gz"
SIZES = (1200, 297, 300)  # train, valid, test: consecutive, never shuffled
FIELD, BOX = 28, 20  # MNIST: a 20 x 20 box in the middle of 28 x 28
STEP = 8  # grey levels 0, 8, ..., 248: enough for the source's 17, and half the file size


def enlarge(picture):
    """Return an (8, 8) picture, values 0..16, as (28, 28) uint8 grey values 0, 8, ..., 248."""
    import numpy as np
    from PIL import Image

    grey = np.round(picture * (255.0 / 16)).astype(np.uint8)
    box = Image.fromarray(grey).resize((BOX, BOX), Image.BICUBIC)  # Pillow clips to 0..255
    levels = np.minimum((np.asarray(box, dtype=np.int64) + STEP // 2) // STEP * STEP, 256 - STEP)
    edge = (FIELD - BOX) // 2
    return np.pad(levels, edge, mode="constant").astype(np.uint8)


def build():
    """Return ((x, y), (x, y), (x, y)): x float32 (N, 784), values k/256; y int64 (N,), 0..9."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.stack([enlarge(picture) for picture in digits.images])
    x = grey.reshape(len(grey), FIELD * FIELD).astype(np.float32) / np.float32(256)
    y = digits.target.astype(np.int64)
    ends = np.cumsum(SIZES)
    return tuple((x[end - n : end], y[end - n : end]) for n, end in zip(SIZES, ends))


def to_bytes(sets):
    """Return `sets` as a gzipped pickle: the same bytes every time."""
    from dlt.files.pickles import dumps_portable

    plain = dumps_portable(sets)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as f:
        f.write(plain)
    return packed.getvalue()


@script
def main(argv=None):
    """Write or check the file; return 0, 1 (`--check` found a difference) or 2 (cannot run)."""
    parser = Parser(description="Build data/digits.pkl.gz, the small data set that comes with dlt.")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="PATH")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare the file with a rebuilt one"
    )
    args = parser.parse_args(argv)
    try:
        sets = build()
    except ImportError as error:
        raise SettingsError("packages", error, remedy="pip install scikit-learn pillow") from error
    return check(args.output, sets) if args.check else write(args.output, sets)


def check(path, sets):
    """Print how the file at `path` differs from `sets`; return 0 if it does not, else 1.

    Pictures may differ by one of 256 grey values, because versions of Pillow round differently.
    """
    import numpy as np

    from dlt.files.pickles import load_pickle

    lines = []
    for name, pair, stored in zip(("train", "valid", "test"), sets, load_pickle(path)):
        for part, array, other, most in zip("xy", pair, stored, (1 / 256, 0)):
            alike = array.shape == other.shape and array.dtype == other.dtype
            if not alike or np.abs(array - other).max() > most:
                lines.append(f"{name}: {part} differs")
    print("\n".join(lines) or f"{path}: the arrays agree with the rebuilt ones")
    return 1 if lines else 0


def write(path, sets):
    """Write `sets` to `path`, print its size and hash, and return 0."""
    from dlt.files.writing import write_atomically

    packed = to_bytes(sets)
    write_atomically(path, lambda file: file.write(packed))
    print(f"{path}: {len(packed)} bytes, {' + '.join(map(str, SIZES))} pictures")
    print(f"sha256 {hashlib.sha256(packed).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

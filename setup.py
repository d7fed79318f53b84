"""What pyproject.toml cannot say."""

import sys

from setuptools import find_packages, setup

# A wheel has the folders data/ and scripts/ inside the package. An editable installation uses those
# of the clone; with one package_dir it is a single path, which type checkers can follow.
inside = {} if "editable_wheel" in sys.argv else {"dlt._data": "data", "dlt._scripts": "scripts"}

setup(
    # In [project], setuptools for Python 3.8 refuses a string, and later ones refuse a table.
    license="BSD-3-Clause",
    packages=[*find_packages(include=["dlt", "dlt.*"]), "dlt.pictures._page", *inside],
    package_dir={"": ".", **inside},
    package_data={
        "dlt": ["py.typed"],
        "dlt.pictures._page": ["*"],
        "dlt._data": ["digits.pkl.gz", "README.md"],
    },
)

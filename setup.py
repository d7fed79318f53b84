"""What pyproject.toml cannot say."""

import sys

from setuptools import find_packages, setup

# An installation carries two folders of the clone inside the package. An editable installation is
# the clone itself; its package_dir makes it a single path, which type checkers follow too.
inside = {} if "editable_wheel" in sys.argv else {"dlt._data": "data", "dlt._scripts": "scripts"}

setup(
    # setuptools for Python 3.8 refuses the string in [project], and later ones refuse the table.
    license="BSD-3-Clause",
    packages=[*find_packages(include=["dlt", "dlt.*"]), "dlt.pictures._page", *inside],
    package_dir={"": ".", **inside},
    package_data={
        "dlt": ["py.typed"],
        "dlt.pictures._page": ["*"],
        "dlt._data": ["digits.pkl.gz", "README.md"],
    },
)

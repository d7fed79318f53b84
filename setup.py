"""Packaging of `dlt`; tool settings are in pyproject.toml."""

import re

from setuptools import setup


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


setup(
    # PyPI's "dlt" is an unrelated project: the distribution is called otherwise.
    name="theano-dlt",
    version=re.search(r'__version__ = "(.+?)"', read("dlt/__init__.py")).group(1),
    description="The Theano deep-learning tutorial, Getting Started, as a library",
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=["dlt", "dlt._data"],
    # The embedded digits lie in data/ of the clone and in dlt/_data/ of an installation.
    package_dir={"dlt": "dlt", "dlt._data": "data"},
    package_data={"dlt._data": ["digits.pkl.gz", "README.md"]},
    python_requires=">=3.11,<3.15",
    install_requires=[
        "pytensor>=3.0,<3.4",
        "jax>=0.7",
        "numpy",
        "pillow",
        "pooch>=1.8",
        "tqdm>=4.62",
    ],
    extras_require={
        "gpu": ["jax[cuda12]>=0.7"],
        "bench": ["matplotlib", "threadpoolctl", "scikit-learn"],
        "test": [
            "pytest>=8",
            "hypothesis",
            "ruff",
            "scikit-learn",
            "matplotlib",
            "threadpoolctl",
            "setuptools>=68",
            "wheel",
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)

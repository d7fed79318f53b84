"""Packaging of `dlt`; tool settings are in pyproject.toml."""

import re

from setuptools import find_packages, setup


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# What builds the documents, the executed tutorial among them; not to be had for Python 3.8.
docs = [
    name + "; python_version >= '3.9'"
    for name in ("sphinx>=7", "docutils>=0.21", "myst-nb>=1.0", "furo", "jupytext")
]

setup(
    # PyPI's "dlt" is an unrelated project: the distribution is called otherwise.
    name="theano-dlt",
    version=re.search(r'__version__ = "(.+?)"', read("dlt/__init__.py")).group(1),
    description="The Theano deep-learning tutorial, Getting Started, as a library",
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=[*find_packages(include=["dlt", "dlt.*"]), "dlt._data"],
    # The embedded digits lie in data/ of the clone and in dlt/_data/ of an installation.
    package_dir={"dlt": "dlt", "dlt._data": "data"},
    # What the page to draw digits on is put together from lies in dlt/pictures/_page/ of both.
    package_data={"dlt.pictures": ["_page/*"], "dlt._data": ["digits.pkl.gz", "README.md"]},
    # Two engines that cannot share an environment: PyTensor needs numpy 2, and classic Theano
    # one below 1.22 (docs/engines.md). Below 3.8 and from 3.15 on, neither installs.
    python_requires=">=3.8,<3.15",
    install_requires=[
        "pytensor>=3.0,<3.4; python_version >= '3.11'",
        "jax>=0.7; python_version >= '3.11'",
        "numpy; python_version >= '3.11'",
        "scipy; python_version >= '3.11'",
        "Theano==1.0.5; python_version < '3.11'",
        "numpy>=1.20,<1.22; python_version < '3.11'",
        "scipy<1.8; python_version < '3.11'",
        "filelock>=3.12",
        "matplotlib>=3.6",
        "pillow>=9.1",
        "pooch>=1.8",
        "tqdm>=4.64",
    ],
    extras_require={
        "gpu": ["jax[cuda12]>=0.7; python_version >= '3.11'"],
        "bench": ["threadpoolctl", "scikit-learn"],
        "docs": docs,
        "fuzz": ["atheris; python_version < '3.14' and sys_platform == 'linux'"],
        "notebook": ["notebook", "ipywidgets", "jupytext"],
        "test": [
            *docs,
            "pytest>=8",
            "pytest-timeout",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "scikit-learn",
            "threadpoolctl",
            "ipywidgets",
            "selenium",
            "setuptools>=68",
            "wheel",
        ],
    },
    classifiers=[
        *[f"Programming Language :: Python :: 3.{minor}" for minor in range(8, 15)],
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)

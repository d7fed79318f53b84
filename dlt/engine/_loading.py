"""Importing an engine: what goes wrong with it, or with its flags, becomes one line."""

import importlib
import logging
import operator
import warnings

from dlt.engine import flags
from dlt.errors import EngineError

#: The dtypes that ``floatX`` may name.
FLOAT_TYPES = ("float32", "float64")

# Its warnings are single lines on stderr, unless the program handles logging itself.
logger = logging.getLogger("dlt")


def import_engine(name, title, given, remedy):
    """Import a package that is Theano in all but its name.

    Parameters
    ----------
    name, title : str
        What it is called by Python and by people.
    given : str
        The flags as the user gave them, for the messages.
    remedy : str
        How to get it.

    Returns
    -------
    module
        With its ``tensor`` imported, and its settings checked.

    Raises
    ------
    EngineError
        It cannot be imported, or refuses its flags, or floatX is none of `FLOAT_TYPES`.
    """
    where = "THEANO_FLAGS" if name == "theano" else "THEANO_FLAGS or PYTENSOR_FLAGS"
    # Said below, for all flags in one line.
    warnings.filterwarnings("ignore", message=".*does not recognise this flag")
    try:
        package = importlib.import_module(name)
        importlib.import_module(name + ".tensor")
        package.compile.mode.get_default_mode()  # reads mode, linker and optimizer
    except ImportError as error:
        raise EngineError(
            "engine",
            f"{title}, which could not be imported ({_one_line(error)})",
            remedy=remedy,
        ) from error
    except Exception as error:  # of many kinds: a numpy it does not know, a flag, a full disk
        raise EngineError(
            title,
            f"{given!r} in {where}",
            f"flags that it accepts; it says: {_one_line(error) or type(error).__name__}",
        ) from error
    if package.config.floatX not in FLOAT_TYPES:
        found = f"{package.config.floatX!r} (in {where})"
        raise EngineError("floatX", found, " or ".join(FLOAT_TYPES))
    unknown = [flag for flag in flags.parse(given) if not _is_known(package.config, flag)]
    if unknown:
        logger.warning(
            f"{where}: found {', '.join(unknown)}, which {title} {package.__version__} does not "
            "have; "
            "without effect"
        )
    return package


def wrong_version(title, package, expected):
    """Say that an engine is too old, or something else under its name.

    Examples
    --------
    >>> import numpy
    >>> str(wrong_version("NumPy", numpy, "0.1"))[:20]
    'NumPy: found version'
    """
    found = f"version {package.__version__}"
    return EngineError(title, found, expected, "install what dlt needs: pip install .")


def no_compiler(missing, instead=""):
    """Say what the C linker lacks, and what to do.

    Examples
    --------
    >>> print(no_compiler(["g++"], ", or use jax"))  # doctest: +ELLIPSIS
    linker c: found no g++; expected a compiler and Python's headers; install g++ (...), or use jax
    """
    found = f"no {' and no '.join(missing)}"
    remedy = flags.how_to_install(missing) + instead
    return EngineError("linker c", found, "a compiler and Python's headers", remedy)


def _is_known(config, flag):
    for spelling in (flag, flag.replace(".", "__")):
        try:
            operator.attrgetter(spelling)(config)
            return True
        except AttributeError:
            pass
    return False


def _one_line(error):
    return " ".join(str(error).split())

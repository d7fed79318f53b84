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
            "the engine is missing: {} could not be imported ({}); {}".format(
                title, _one_line(error), remedy
            )
        ) from error
    except Exception as error:  # of many kinds: a numpy it does not know, a flag, a full disk
        raise EngineError(
            "{}: found {!r} in {}; {} says: {}".format(
                title, given, where, title, _one_line(error) or type(error).__name__
            )
        ) from error
    if package.config.floatX not in FLOAT_TYPES:
        raise EngineError("{} (in {})".format(bad_floatX(package.config.floatX), where))
    unknown = [flag for flag in flags.parse(given) if not _is_known(package.config, flag)]
    if unknown:
        logger.warning(
            "{}: found {}, which {} {} does not have; without effect".format(
                where, ", ".join(unknown), title, package.__version__
            )
        )
    return package


def bad_floatX(found):
    """Say what floatX may be.

    Examples
    --------
    >>> bad_floatX("float16")
    "floatX: found 'float16'; expected float32 or float64"
    """
    return "floatX: found {!r}; expected {}".format(found, " or ".join(FLOAT_TYPES))


def wrong_version(title, package, expected):
    """Say that an engine is too old, or something else under its name.

    Examples
    --------
    >>> import numpy
    >>> str(wrong_version("NumPy", numpy, "0.1"))[:20]
    'NumPy: found version'
    """
    return EngineError(
        "{}: found version {}; expected {}; install what dlt needs with: pip install .".format(
            title, package.__version__, expected
        )
    )


def no_compiler(missing, instead=""):
    """Say what the C linker lacks, and what to do.

    Examples
    --------
    >>> print(no_compiler(["g++"], ", or use jax"))  # doctest: +ELLIPSIS
    the linker c needs a compiler: found no g++; install g++ (...), or use jax
    """
    return EngineError(
        "the linker c needs a compiler: found no {}; {}{}".format(
            " and no ".join(missing), flags.how_to_install(missing), instead
        )
    )


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

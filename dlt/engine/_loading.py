"""Importing an engine: what goes wrong becomes one line."""

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
    """Import and check the package `name`; `given` are the flags as the user wrote them."""
    where = "THEANO_FLAGS" if name == "theano" else "THEANO_FLAGS or PYTENSOR_FLAGS"
    # Repeated below, for all flags in one line.
    warnings.filterwarnings("ignore", message=".*does not recognise this flag")
    try:
        package = importlib.import_module(name)
        importlib.import_module(name + ".tensor")
        package.compile.mode.get_default_mode()  # reads mode, linker and optimizer
    except Exception as error:  # of many kinds: a numpy it does not know, a flag, a full disk
        said = joined(error) or type(error).__name__
        if given and not isinstance(error, ImportError):
            expected = f"flags that it accepts; it says: {said}"
            raise EngineError(title, f"{given!r} in {where}", expected) from error
        found = f"{title}, which could not be imported ({said})"
        lacking = isinstance(error, (ImportError, AttributeError))  # a package, or a part of one
        raise EngineError("engine", found, remedy=remedy if lacking else None) from error
    floatX = package.config.floatX
    if floatX not in FLOAT_TYPES:
        raise EngineError("floatX", f"{floatX!r} (in {where})", " or ".join(FLOAT_TYPES))
    unknown = [flag for flag in flags.parse(given) if not _is_known(package.config, flag)]
    if unknown:
        logger.warning(
            f"{where}: found {', '.join(unknown)}, which {title} {package.__version__} does not "
            "have; without effect"
        )
    return package


def wrong_version(title, package, expected):
    """Return the error for an engine that is too old, or something else under its name."""
    found = f"version {package.__version__}"
    return EngineError(title, found, expected, "install what dlt needs: pip install .")


def _is_known(config, flag):
    for spelling in (flag, flag.replace(".", "__")):
        try:
            operator.attrgetter(spelling)(config)
            return True
        except AttributeError:
            pass
    return False


def joined(error):
    """Return what an exception or a program says, on one line."""
    return " ".join(str(error).split())

"""Loading an engine: whatever goes wrong becomes a message of one line."""

import contextlib
import importlib
import logging
import operator
import warnings

from dlt.engine import flags
from dlt.errors import EngineError

#: The values of ``floatX``.
FLOAT_TYPES = ("float32", "float64")

# Its warnings go to stderr as single lines, unless the program configures logging itself.
logger = logging.getLogger("dlt")


def import_engine(name, title, given, remedy):
    """Import and check the package `name`; `given` holds the flags as the user wrote them."""
    where = "THEANO_FLAGS" if name == "theano" else "THEANO_FLAGS or PYTENSOR_FLAGS"
    # A warning of one line for all flags follows below.
    warnings.filterwarnings("ignore", message=".*does not recognise this flag")
    try:
        package = importlib.import_module(name)
        importlib.import_module(name + ".tensor")
        package.compile.mode.get_default_mode()  # reads mode, linker and optimizer
    except Exception as error:  # an unknown numpy, a bad flag, a full disk, ...
        said = joined(error) or type(error).__name__
        if given and not isinstance(error, ImportError):
            expected = f"flags that it accepts; it says: {said}"
            raise EngineError(title, f"{given!r} in {where}", expected) from error
        found = f"{title}, which could not be imported ({said})"
        lacking = isinstance(error, (ImportError, AttributeError))  # a package or part of it
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
    """Return the error for a package that has the name of an engine, but another version."""
    found = f"version {package.__version__}"
    return EngineError(title, found, expected, "install what dlt needs: pip install .")


def _is_known(config, flag):
    for spelling in (flag, flag.replace(".", "__")):  # Theano's, PyTensor's
        with contextlib.suppress(AttributeError):
            operator.attrgetter(spelling)(config)
            return True
    return False


def joined(error):
    """Return the message of an exception or a program on one line."""
    return " ".join(str(error).split())

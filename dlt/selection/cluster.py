"""Cluster: the workers of a Dask scheduler, as an executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
from typing import Iterator

from dlt.errors import SettingsError

# Seconds to wait for a scheduler, and how often to run a task again that raised an exception, such
# as a lost connection between workers. When a worker dies, the scheduler's own setting counts,
# ``distributed.scheduler.allowed-failures``.
_PATIENT, _RETRIES = 10, 2


@contextlib.contextmanager
def executor(address: str) -> Iterator[concurrent.futures.Executor]:
    """Connect to a Dask scheduler, and yield its workers as an executor for `dlt.select`.

    The workers need `dlt` and the module of the recipe. What Dask logs about lost connections is
    not shown.

    Parameters
    ----------
    address : str
        As ``dask scheduler`` prints it, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    SettingsError
        Dask is not installed, or no scheduler answers at this address.

    Examples
    --------
    >>> with executor("127.0.0.1") as workers:
    ...     workers.submit(abs, -3).result()
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: 127.0.0.1: found no Dask scheduler (missing port number in address \
'127.0.0.1'); expected an address such as tcp://127.0.0.1:8786, as dask scheduler prints it
    """
    try:
        import distributed
    except ImportError as error:
        remedy = 'pip install "theano-dlt[cluster]"'
        raise SettingsError("a Dask cluster", str(error), "distributed", remedy) from error
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    with contextlib.ExitStack() as stack:
        for logger in loggers:
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        try:
            # in a new thread: in a notebook, this one already has an event loop
            with concurrent.futures.ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _reach(address)).result()
            client = distributed.Client(address, timeout=_PATIENT, set_as_default=False)
        except Exception as error:  # of many types
            found = f"no Dask scheduler ({str(error) or 'no answer'})"
            expected = "an address such as tcp://127.0.0.1:8786, as dask scheduler prints it"
            raise SettingsError(address, found, expected) from error
        with client:
            yield client.get_executor(pure=False, retries=_RETRIES)


async def _reach(address):
    """Connect once, with a time limit: a client would wait forever for another kind of server."""
    from distributed import Security, connect

    options = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=_PATIENT, **options), 2 * _PATIENT)
    await comm.close()

"""Failures of an engine: what a user can mend becomes one line."""

import pytest

from dlt import engine
from dlt.commandline import Parser, script
from dlt.engine.failures import explained

OUT = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9126805504 bytes."


def raised(error, module):
    """Return an error as code of some module raises it."""
    try:
        exec("raise error", {"__name__": module, "error": error})
    except Exception as error:
        return error


@pytest.mark.parametrize(
    "device, remedy",
    [
        ("cpu", "free some"),
        ("gpu (NVIDIA H200)", "JAX reserves three quarters of a GPU for each process: set "
         "XLA_PYTHON_CLIENT_PREALLOCATE=false or XLA_PYTHON_CLIENT_MEM_FRACTION=0.3"),
    ],
)  # fmt: skip
def test_too_little_memory_names_what_to_set(monkeypatch, capsys, device, remedy):
    monkeypatch.setattr(engine, "device", lambda: device)

    @script
    def main(argv=None):
        parser = Parser()
        for name in argv:
            parser.add_argument(name)
        raise RuntimeError(OUT + "\nApply node that caused the error: ...")

    expected = f"error: memory: found too little on the {device} ({OUT}); {remedy}"
    assert (main([]), capsys.readouterr().err) == (2, expected + "\n")
    expected += ", or read the data in chunks: --max-memory 512MB\n"
    assert (main(["--max-memory"]), capsys.readouterr().err) == (2, expected)


def failed(said):
    return RuntimeError(f"Compilation failed (return status=1):\ng++ -O3\n{said}\nmore")


def test_where_the_compiled_code_goes_is_named_if_that_fails():
    variable = engine.NAME.upper() + "_FLAGS"
    elsewhere = f"free some space, or compile elsewhere: {variable}=base_compiledir=FOLDER"
    full, wrong = "ld: No space left on device", "g++: error: unrecognized option '-fnonsense'"
    for error, said, remedy in (
        (raised(OSError(28, "Full"), "numba.core.caching"), "[Errno 28] Full", elsewhere),
        (failed(full), full, elsewhere),
        (failed(wrong), wrong, f"correct the flags in {variable}, or the compiler"),
    ):
        expected = f"compiling with {engine.NAME}: found a failure ({said}); {remedy}"
        assert str(explained(error)) == expected


def test_other_errors_are_left_alone():
    full = raised(OSError(28, "No space left on device"), "dlt.files.writing")
    assert explained(full) is None and explained(raised(ValueError(), "numba.core")) is None

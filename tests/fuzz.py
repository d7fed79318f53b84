"""Fuzz every reader, guided by coverage (``make fuzz``; needs atheris, Python 3.8 to 3.13).

Each reader runs for a while in a process of its own. The fuzzer recombines its valid files and
the attacks on it. Anything but valid values or a `DataError`, anything done besides reading, a
hang or too much memory is a finding: the file is kept, with a command to read it again.
"""

import argparse
import gzip
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

# The first byte of each input of the fuzzer stands for what is done to the rest.
FORMS = (b"\0", b"\1", b"\2")  # nothing; checksums made right; gzipped


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each reader (default: 60)")
    parser.add_argument("--reader", action="append", help="only this one (default: all)")
    parser.add_argument("--memory", type=int, default=3072, help="limit in MiB (default: 3072)")
    parser.add_argument("--timeout", type=int, default=30, help="of one file, in seconds")
    parser.add_argument("--findings", default="findings", metavar="FOLDER", help="kept files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)  # the folder for one reader
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    try:
        import atheris
    except ImportError:
        print(
            "fuzzing needs atheris: pip install atheris; it has wheels for CPython 3.8 to 3.13 on "
            "Linux, this is {}.{} on {}".format(*sys.version_info[:2], sys.platform),
            file=sys.stderr,
        )
        return 2
    if args.child:
        return fuzz(atheris, args)
    import readers

    names = [reader.name for reader in readers.READERS]
    unknown = sorted(set(args.reader or []) - set(names))
    if unknown:
        print(f"no reader {unknown[0]}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    found = [supervise(args, name) for name in args.reader or names]
    return 1 if any(found) else 0


def supervise(args, name):
    """Fuzz one reader in a child process; print a line; return whether something was found."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, os.path.abspath(__file__), "--child", folder, "--reader", name]
        for option in ("seconds", "memory", "timeout", "seed"):
            command += ["--" + option, str(getattr(args, option))]
        process = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
        )
        log = process.stdout.decode("utf-8", "replace")
        kept = keep(args.findings, folder, name, log) if process.returncode else None
    print(summary(name, log, process.returncode), flush=True)
    if kept:
        again = f"{sys.executable} {os.path.join('tests', 'readers.py')} --again {kept}"
        print(f"    kept {kept}; read it again with: {again}")
    return bool(process.returncode)


def summary(name, log, code):
    """Put the fuzzer's last figures into one line."""
    patterns = (
        r"number_of_executed_units: (\d+)",
        r"average_exec_per_sec: +(\d+)",
        r"cov: (\d+)",
        r"peak_rss_mb: +(\d+)",
    )
    figures = [(re.findall(pattern, log) or ["?"])[-1] for pattern in patterns]
    reasons = re.findall(r"(?:Finding: |ERROR: libFuzzer: |SUMMARY: ).*", log)
    reasons.append(log.strip().rpartition("\n")[2])
    said = f"1 finding (exit code {code}): {reasons[0]}" if code else "nothing found"
    line = "{:<11} {:>9} executions, {:>6}/s, coverage {:>5}, peak {:>5} MiB, {}"
    return line.format(name, *figures, said)


def keep(findings, folder, name, log):
    """Copy the file that was being read, and the fuzzer's log, into the folder of findings."""
    import readers

    (reader,) = (reader for reader in readers.READERS if reader.name == name)
    kept = os.path.join(findings, name.replace(" ", "-"))
    os.makedirs(kept, exist_ok=True)
    with open(os.path.join(kept, "log.txt"), "w", encoding="utf-8") as file:
        file.write(log)
    artifacts = [entry for entry in os.listdir(folder) if entry.startswith("artifact-")]
    if not artifacts:
        return os.path.join(kept, "log.txt")
    target = os.path.join(kept, reader.file)
    with open(os.path.join(folder, artifacts[0]), "rb") as file, open(target, "wb") as copy:
        copy.write(formed(readers, file.read()))
    return target


def formed(readers, data):
    """Turn an input of the fuzzer into a file."""
    form, data = data[:1], data[1:]
    if form == FORMS[1]:
        return readers.repair(data)
    return gzip.compress(data, 1, mtime=0) if form == FORMS[2] else data


def fuzz(atheris, args):
    """Fuzz one reader until the time is over or something is found."""
    with atheris.instrument_imports(include=["dlt", "zipfile", "csv", "json", "ast", "PIL"]):
        import PIL.Image
        import readers

        PIL.Image.init()  # imports the modules of all formats
        (reader,) = (reader for reader in readers.READERS if reader.name == args.reader[0])
    scratch, corpus = (os.path.join(args.child, name) for name in ("scratch", "corpus"))
    os.mkdir(scratch)
    os.mkdir(corpus)
    canary = os.path.join(args.child, "canary")
    for i, data in enumerate(readers.seeds(reader, canary)):
        with open(os.path.join(corpus, str(i)), "wb") as file:
            file.write((FORMS[1] if data[:2] in (b"PK", b"\x89P") else FORMS[0]) + data)
    watch = readers.Watch()
    failed = readers.warm_up(scratch)
    assert not failed, failed
    path = os.path.join(scratch, reader.file)

    def one(data):
        with open(path, "wb") as file:
            file.write(formed(readers, data))
        outcome, did = watch.during(readers.run, reader, path)
        if did or os.path.exists(canary) or outcome not in ("value", "DataError"):
            print(f"Finding: {outcome} {did}", flush=True)
            raise RuntimeError(outcome)

    options = {
        "max_total_time": args.seconds, "rss_limit_mb": args.memory, "timeout": args.timeout,
        "malloc_limit_mb": args.memory, "max_len": 65536, "seed": args.seed,
        "print_final_stats": 1, "artifact_prefix": os.path.join(args.child, "artifact-"),
    }  # fmt: skip
    flags = ["-{}={}".format(*option) for option in options.items()]
    atheris.Setup([sys.argv[0], *flags, corpus], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs: what a training run leaves in its folder, and how it goes on from there.

- `state`, `history` : where a run stands, and what it found.
- `folder` : where a run is kept, and the names of its files.
- `checkpoint` : the file that a run goes on from.
- `saving` : the files kept up to date, and read again.
- `resuming` : what has to be the same, and what may differ.
- `signals` : Ctrl-C and SIGTERM as a request to stop.
"""

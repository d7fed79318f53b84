"""Runs: what a training run leaves in its folder, and how it goes on from there.

- `folder` : the run folder, its files and its lock.
- `checkpoint`, `history` : the files that only a run has.
- `resuming` : what has to be the same, and what may differ.
- `signals` : Ctrl-C and SIGTERM as a request to stop.
"""

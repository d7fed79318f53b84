"""Files: read with limits, and written whole or not at all.

- `reading`, `writing` : bytes, whatever they mean.
- `pickles`, `idx`, `npz` : formats that other programs write; nothing in a file is run.
- `described` : named arrays with a description, `dlt`'s own form.
"""

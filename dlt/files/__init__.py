"""Files: read with limits, and written whole or not at all.

- `reading`, `writing` : bytes, whatever they mean.
- `pickles`, `idx`, `npz`, `csv_rows` : formats that other programs write; nothing in a file is run.
- `grey`, `picture_rows` : pictures, one in a file.
- `rows` : arrays that stay in their files.
- `described` : named arrays with a description, `dlt`'s own form.
"""

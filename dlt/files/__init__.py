"""Files: reading with limits, and atomic writing.

- `reading`, `writing` : files of any format.
- `pickles`, `idx`, `npz`, `csv_rows` : formats of other programs. No code in a file is run.
- `grey`, `picture_rows` : picture files.
- `rows` : arrays that stay in their files.
- `described` : named arrays with a description, `dlt`'s own format.
"""

"""Pictures: figures from arrays, figures of a run, and your own pictures read as examples.

- `digits`, `curves`, `confusion`, `selection` : figures by kind; `figures` is how they all look.
- `tiles` : Pillow images and animations.
- `run` : all of these from the files of a run, without the code that trained it.
- `reading` : pictures of digits, made like MNIST's by `normalizing`.
- `page` : one HTML file to draw a digit on.
"""

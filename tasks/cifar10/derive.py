"""Derives photos.jpg, the photographs behind the items of `mini`, once and by hand.

    python derive.py WHEEL

WHEEL is a wheel of scikit-image 0.26.0, opened as an archive. All the photographs taken from it are
in the public domain or under CC0. photos.jpg stacks them, each resized to 400 x 256 pixels. They
are committed, not read from the wheel at preparation, as that wheel is another one for each
platform. items.png is that of tasks/fashion_mnist, whose derive.py tells how it was made.
"""

import sys
import zipfile
from pathlib import Path

from PIL import Image

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")
SIZE = (400, 256)


def main() -> None:
    stack = Image.new("RGB", (SIZE[0], SIZE[1] * len(PHOTOS)))
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        for place, name in enumerate(PHOTOS):
            with wheel.open(f"skimage/data/{name}") as file:
                photo = Image.open(file).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
            stack.paste(photo, (0, place * SIZE[1]))
    stack.save(Path(__file__).parent / "photos.jpg", quality=90, subsampling=0)


if __name__ == "__main__":
    main()

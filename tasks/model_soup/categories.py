"""The six categories: ways in which an item is seen. Three pairs, alike within a pair.

Images are uint8 arrays [N, 28, 28], light on black. Noise comes from the generator alone.
"""

from collections.abc import Callable

import numpy as np


def turned_left(images, rng):
    return np.rot90(images, 1, (1, 2))


def turned_right(images, rng):
    return np.rot90(images, 3, (1, 2))


def halves_up(images, rng):
    """Cut across the middle, the lower half on top."""
    return np.roll(images, 14, 1)


def halves_aside(images, rng):
    """Cut down the middle, the right half on the left."""
    return np.roll(images, 14, 2)


def noisy(images, rng):
    return images + rng.normal(0, 70, images.shape)


def speckled(images, rng):
    """Three pixels in ten are black or white."""
    hit = rng.random(images.shape) < 0.3
    return np.where(hit, (rng.random(images.shape) < 0.5) * 255, images)


CATEGORIES: dict[str, Callable] = {
    function.__name__: function
    for function in (
        *(turned_left, turned_right),
        *(halves_up, halves_aside),
        *(noisy, speckled),
    )
}
NAMES = tuple(CATEGORIES)
PAIRS = ((0, 1), (2, 3), (4, 5))


def render(images, categories, rng):
    """Images [N, 28, 28] as seen in the categories [N], numbers of `NAMES`."""
    seen = np.empty_like(images)
    for number, name in enumerate(NAMES):
        chosen = categories == number
        found = CATEGORIES[name](images[chosen], rng)
        seen[chosen] = np.clip(found, 0, 255).astype(np.uint8)
    return seen

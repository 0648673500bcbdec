"""Composes colour pictures [32, 32, 3] out of grey items of clothing and photographs.

An item is dyed, turned, scaled, shifted and laid over a piece of a photograph, a little
transparent; now and then a part of it is missing, and noise lies over all. An item always differs
from what is behind it, or no one could tell what it is.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import binary_fill_holes

SIDE = 32
TURN, SCALE, SHIFT = 25.0, (0.7, 1.05), 3.0  # degrees, of the item's size, pixels
OPAQUE, NOISE, MISSING = (0.75, 1.0), 5.0, 0.15  # shares, grey levels, probability
PIECE = (32, 64)  # pixels of a photograph that become 32
CONTRAST = 60.0  # grey levels between the mean colours of an item and of what is behind it


def compose(
    item: np.ndarray, photos: Sequence[Image.Image], rng: np.random.Generator
) -> np.ndarray:
    """One picture, uint8, of an item [28, 28]."""
    behind = piece(photos, rng)
    grey, mask = placed(item, rng)
    mask = mask * rng.uniform(*OPAQUE)
    if rng.random() < MISSING:
        height, width = rng.integers(8, 17, 2)
        top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
        mask[top : top + height, left : left + width] = 0
    picture = behind + mask[:, :, None] * (dyed(grey, mask, behind, rng) - behind)
    picture += rng.normal(0, NOISE, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def piece(photos: Sequence[Image.Image], rng: np.random.Generator) -> np.ndarray:
    """A random square piece of a random photograph [32, 32, 3], mirrored or not."""
    photo = photos[rng.integers(len(photos))]
    side = int(rng.integers(PIECE[0], PIECE[1] + 1))
    left = int(rng.integers(0, photo.width - side + 1))
    top = int(rng.integers(0, photo.height - side + 1))
    box = (left, top, left + side, top + side)
    found = np.asarray(photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box), float)
    return found[:, ::-1] if rng.random() < 0.5 else found


def placed(item: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The item's grey levels and where it is, both [32, 32] from 0 to 1, turned and scaled."""
    solid = np.where(binary_fill_holes(item > 8), 255, 0).astype(np.uint8)
    angle, scale = np.deg2rad(rng.uniform(-TURN, TURN)), rng.uniform(*SCALE)
    mirror = rng.choice([-1.0, 1.0])
    middle = SIDE / 2 + rng.uniform(-SHIFT, SHIFT, 2)
    # From a place in the picture back to one in the item.
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    back[0] *= mirror
    offset = item.shape[0] / 2 - back @ middle
    affine = (*back[0], offset[0], *back[1], offset[1])
    how = (Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    grey, mask = (
        np.asarray(Image.fromarray(layer).transform((SIDE, SIDE), *how), float) / 255
        for layer in (item, solid)
    )
    return grey, mask


def dyed(
    grey: np.ndarray, mask: np.ndarray, behind: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The item [32, 32, 3] in a dark and a bright colour, drawn until it stands out."""
    there = mask > 0
    surroundings = behind[there].mean(0)
    while True:
        dark, bright = rng.uniform(0, 130, 3), rng.uniform(90, 255, 3)
        item = dark + grey[:, :, None] * (bright - dark)
        if np.linalg.norm(item[there].mean(0) - surroundings) >= CONTRAST:
            return item

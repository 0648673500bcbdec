"""Pictures with five captions each: composed scenes (`mini`) or photographs of MS-COCO (`full`).

A scene shows two objects with colour and size, one in relation to the other, at a place. A quarter
of all combinations of two objects and a relation occur in hidden scenes only, and half of the
hidden scenes show one of them. Captions are terse: with fillers that fit every scene a constant
caption would score.
"""

import csv
import io
import json
import math
import os
import zipfile
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINE = 48, 3  # a scene's pixels, and how much finer it is drawn
SCENES = {"train": 4000, "validation": 800, "test": 800}
PHOTOGRAPHS, PHOTOGRAPH_SIDE = 20000, 112
CAPTIONS = 5

COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 160, 60),
    "blue": (50, 80, 210),
    "yellow": (235, 210, 60),
    "purple": (140, 60, 170),
    "orange": (240, 140, 40),
    "white": (245, 245, 245),
    "black": (35, 35, 40),
}
PLACES = {
    "on sand": (214, 190, 140),
    "on grass": (110, 150, 80),
    "in snow": (215, 222, 232),
    "at night": (45, 50, 85),
    "in fog": (150, 155, 160),
}
OBJECTS = ("ball", "box", "cone", "star", "ring", "cross", "moon", "house", "drop")
OPPOSITES = {"above": "below", "left of": "right of", "inside": "around", "behind": "before"}
SIZES = {"small": ("small", "little"), "big": ("big", "large")}


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    rng = np.random.default_rng([data_seed, CAPTIONS])
    parts = scenes(rng) if profile == "mini" else photographs(rng)
    hidden = [*parts["validation"], *parts["test"]]
    ids = rng.permutation(len(hidden)) + 1
    names = dict(
        zip(("validation", "test"), np.split(ids, [len(parts["validation"])]), strict=True)
    )
    for part, numbers in names.items():
        rows = sorted(zip(numbers.tolist(), parts[part], strict=True), key=lambda row: row[0])
        # The first is called as in a submission, so that what is asked for is seen to be hidden.
        head = ["id", "new", "caption", *(f"caption_{number}" for number in range(2, CAPTIONS + 1))]
        write(
            private / f"{part}.csv", head, [[name, new, *texts] for name, (_, texts, new) in rows]
        )
    order = np.argsort(ids)
    np.savez_compressed(
        public / "test.npz", id=ids[order], images=np.stack([hidden[row][0] for row in order])
    )
    known = np.arange(len(parts["train"])) + 1
    np.savez_compressed(
        public / "train.npz", id=known, images=np.stack([image for image, _, _ in parts["train"]])
    )
    told = [
        [name, text]
        for name, (_, texts, _) in zip(known, parts["train"], strict=True)
        for text in texts
    ]
    write(public / "train.csv", ["id", "caption"], told)
    sample = [[name, parts["train"][0][1][0]] for name in sorted(ids.tolist())]
    write(public / "sample_submission.csv", ["id", "caption"], sample)


def write(path, head, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([head, *rows])


# Scenes -----------------------------------------------------------------------------------------


def scenes(rng):
    """(picture, captions, whether its combination is in no training scene), by part."""
    triples = [(*pair, relation) for pair in permutations(OBJECTS, 2) for relation in OPPOSITES]
    rng.shuffle(triples)
    new, known = triples[: len(triples) // 4], triples[len(triples) // 4 :]

    def composed(of, flag):
        one, other, relation = of[rng.integers(len(of))]
        return *scene(rng, str(one), str(other), str(relation)), flag

    parts = {"train": [composed(known, 0) for _ in range(SCENES["train"])]}
    for part in ("validation", "test"):
        half = SCENES[part] // 2
        made = [composed(known, 0) for _ in range(half)] + [composed(new, 1) for _ in range(half)]
        parts[part] = [made[row] for row in rng.permutation(len(made))]
    return parts


def scene(rng, one, other, relation):
    """A picture [SIDE, SIDE, 3] of `one` in `relation` to `other`, and what may be said of it."""
    colours = [str(name) for name in rng.choice(list(COLOURS), 2, replace=False)]
    place = str(rng.choice(list(PLACES)))
    inside, near = relation == "inside", relation in ("inside", "behind")
    sizes = ["small", "big"] if near else [str(size) for size in rng.choice(list(SIZES), 2)]
    if relation == "behind":
        sizes = ["big", "small"]
    radii = [rng.uniform(*((5, 6.5) if size == "small" else (9, 11))) for size in sizes]
    if inside:
        radii = [rng.uniform(4, 5), rng.uniform(13, 15)]
    middle = rng.uniform(20, 28, 2)
    apart = sum(radii) * rng.uniform(0.95, 1.1)
    way = {"above": (0, -1), "left of": (-1, 0)}.get(relation, (0, 0))
    drift = rng.normal(0, 1.5, 2)
    offset = np.array(way) * apart + drift
    if relation == "behind":
        angle = rng.uniform(0, 2 * math.pi)
        offset = 0.75 * radii[0] * np.array([math.cos(angle), math.sin(angle)])
    centres = [middle + offset / 2, middle - offset / 2]

    ground = np.array(PLACES[place]) + rng.normal(0, 8, 3)
    picture = Image.new("RGB", (SIDE * FINE, SIDE * FINE), tuple(int(part) for part in ground))
    # What is inside or before is drawn last.
    for number in (1, 0) if inside else (0, 1):
        shade = np.array(COLOURS[colours[number]]) + rng.normal(0, 10, 3)
        paint(picture, (one, other)[number], centres[number], radii[number], shade)
    pixels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))
    pixels = pixels + rng.normal(0, 8, (SIDE, SIDE, 1)) + rng.normal(0, 4, (SIDE, SIDE, 3))
    texts = captions(rng, (one, other), colours, sizes, relation, place)
    return np.clip(pixels, 0, 255).astype(np.uint8), texts


def captions(rng, names, colours, sizes, relation, place):
    """Five ways to tell a scene, some from the one object, some from the other."""
    a, b = (f"{colour} {name}" for colour, name in zip(colours, names, strict=True))
    big_a, big_b = (
        f"{rng.choice(SIZES[size])} {thing}" for size, thing in zip(sizes, (a, b), strict=True)
    )
    inverse = OPPOSITES[relation]
    told = [
        f"{big_a} {relation} {big_b}",
        f"{a} {relation} {b} {place}",
        f"{b} {inverse} {a}",
        f"{big_b} {inverse} {a} {place}",
        f"{place} {a} {relation} {b}",
    ]
    return [told[number] for number in rng.permutation(CAPTIONS)]


def paint(picture, name, centre, radius, shade):
    """Draws one object, with a darker or brighter rim so that it stands out from everything."""
    colour = tuple(int(value) for value in np.clip(shade, 0, 255))
    rim = (90, 90, 90) if sum(colour) > 300 else (190, 190, 190)
    x, y = (float(value) * FINE for value in centre)
    for wider, fill in ((1.0, rim), (0.0, colour)):
        layer = Image.new("L", picture.size)
        draw_shape(ImageDraw.Draw(layer), name, x, y, radius * FINE, wider * FINE)
        picture.paste(fill, (0, 0), layer)


def draw_shape(draw, name, x, y, r, wider):
    """One object's shape around (x, y), r to each side and `wider` more, all in fine pixels."""
    r += wider

    def polygon(corners):
        draw.polygon([(x + r * across, y + r * down) for across, down in corners], fill=255)

    def disc(across, down, share, less=0.0, fill=255):
        half = r * share - less
        box = (x + r * across - half, y + r * down - half)
        draw.ellipse((*box, box[0] + 2 * half, box[1] + 2 * half), fill=fill)

    if name in ("ball", "ring", "moon"):
        disc(0, 0, 1)
    if name == "ring":
        disc(0, 0, 0.6, less=2 * wider, fill=0)
    if name == "moon":
        disc(0.55, -0.1, 0.8, less=2 * wider, fill=0)
    if name == "box":
        polygon([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])
    if name == "cone":
        polygon([(0, -1), (0.9, 0.85), (-0.9, 0.85)])
    if name == "star":
        turns = [math.pi * corner / 5 for corner in range(10)]
        sizes = [1.05 if corner % 2 == 0 else 0.42 for corner in range(10)]
        star = zip(turns, sizes, strict=True)
        polygon([(size * math.sin(turn), -size * math.cos(turn)) for turn, size in star])
    if name == "cross":
        polygon([(-0.3, -1), (0.3, -1), (0.3, 1), (-0.3, 1)])
        polygon([(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)])
    if name == "house":
        polygon([(-0.65, -0.1), (0.65, -0.1), (0.65, 0.9), (-0.65, 0.9)])
        polygon([(0, -1), (1, -0.1), (-1, -0.1)])
    if name == "drop":
        disc(0, 0.35, 0.6)
        polygon([(0, -1), (0.52, 0.05), (-0.52, 0.05)])


# Photographs ------------------------------------------------------------------------------------


def photographs(rng):
    """MS-COCO of 2017: its validation photographs are hidden, the first of the others are known."""
    sources = Path(os.environ["MLGYM_SOURCES"])
    known = photographed(sources, "train2017", PHOTOGRAPHS)
    hidden = photographed(sources, "val2017", None)
    hidden = [hidden[row] for row in rng.permutation(len(hidden))]
    half = len(hidden) // 2
    return {"train": known, "validation": hidden[:half], "test": hidden[half:]}


def photographed(sources, split, most):
    """The pictures of one split by their numbers, each with its first five captions."""
    with zipfile.ZipFile(sources / "annotations_trainval2017.zip") as archive:
        notes = json.loads(archive.read(f"annotations/captions_{split}.json"))
    texts = {}
    for note in sorted(notes["annotations"], key=lambda note: note["id"]):
        texts.setdefault(note["image_id"], []).append(" ".join(note["caption"].split()))
    found = []
    with zipfile.ZipFile(sources / f"{split}.zip") as archive:
        for number in sorted(texts)[:most]:
            with Image.open(io.BytesIO(archive.read(f"{split}/{number:012d}.jpg"))) as image:
                width, height = image.size
                side = min(width, height)
                box = ((width - side) // 2, (height - side) // 2)
                square = image.convert("RGB").crop((*box, box[0] + side, box[1] + side))
                small = square.resize((PHOTOGRAPH_SIDE,) * 2, Image.Resampling.BICUBIC)
            found.append((np.asarray(small), texts[number][:CAPTIONS], 0))
    return found

"""Reads `samples.npz` strictly: the right number of proper trees, or a word on what is wrong.

A file may claim anything: each array's header is looked at before a byte of it is unpacked, and
nothing is unpickled.
"""

import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from mlgym_kit import SubmissionError

MOST = 48  # nodes of a tree
FAR = 10.0  # coordinates beyond are no trees of this size
NAMES = {"nodes": "numbers", "parents": "whole numbers", "counts": "whole numbers"}
KINDS = {"numbers": "fiu", "whole numbers": "iu"}
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Trees:
    """N trees, each with its root at (0, 0); what lies behind a tree's last node means nothing.

    `nodes` is [N, M, 2]; `parents` [N, M], the root's is the root itself; `depths` [N, M] counts
    edges from the root; `real` [N, M] tells which places hold a node, `edges` those but the root.
    """

    nodes: np.ndarray
    parents: np.ndarray
    depths: np.ndarray
    real: np.ndarray
    edges: np.ndarray

    def __len__(self):
        return len(self.nodes)


def read_samples(path, wanted):
    """The `wanted` trees in a submission. Raises SubmissionError, with tree and node."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name: read_array(archive, name, wanted) for name in NAMES}
    except DAMAGED as error:
        raise SubmissionError(f"samples.npz: is no readable .npz file: {error}") from None
    nodes, parents, counts = (arrays[name] for name in NAMES)
    if nodes.ndim != 3 or nodes.shape[2] != 2 or not 2 <= nodes.shape[1] <= MOST:
        raise SubmissionError(
            f"samples.npz: nodes: has shape {nodes.shape}, expected ({wanted}, M, 2), M at most"
            f" {MOST}"
        )
    for name, array, shape in (
        ("parents", parents, nodes.shape[:2]),
        ("counts", counts, (wanted,)),
    ):
        if array.shape != shape:
            raise SubmissionError(f"samples.npz: {name}: has shape {array.shape}, expected {shape}")
    return checked(nodes.astype(np.float64), parents.astype(np.int64), counts.astype(np.int64))


def read_array(archive, name, wanted):
    """One array, by the size that its header may claim for `wanted` trees."""
    if f"{name}.npy" not in archive.namelist():
        raise SubmissionError(f"samples.npz: has no array {name!r}; expected {', '.join(NAMES)}")
    with archive.open(f"{name}.npy") as stream:
        try:
            version = np.lib.format.read_magic(stream)
            header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                version, np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = header(stream)
        except ValueError as error:
            raise SubmissionError(f"samples.npz: {name}: {error}"[:300]) from None
        if dtype.kind not in KINDS[NAMES[name]] or dtype.itemsize > 8:
            raise SubmissionError(
                f"samples.npz: {name}: holds {dtype}, expected {NAMES[name]}"[:300]
            )
        if not shape or shape[0] != wanted or len(shape) > 3 or max(shape[1:], default=0) > MOST:
            raise SubmissionError(
                f"samples.npz: {name}: has shape {shape}, expected {wanted} trees of at most"
                f" {MOST} nodes"
            )
        size = int(np.prod(shape)) * dtype.itemsize
        content = stream.read(size)
    if len(content) < size:
        raise SubmissionError(f"samples.npz: {name}: ends after {len(content)} of {size} bytes")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def checked(nodes, parents, counts):
    """The trees in these arrays. Raises SubmissionError for the first that is no tree."""
    most = nodes.shape[1]
    place = np.arange(most)
    short = (counts < 2) | (counts > most)
    if short.any():
        tree = int(short.argmax())
        raise SubmissionError(
            f"samples.npz: counts: tree {tree} has {counts[tree]} nodes, expected 2 to {most}"
        )
    real = place < counts[:, None]
    wrong = real & ~(np.isfinite(nodes) & (np.abs(nodes) <= FAR)).all(axis=2)
    if wrong.any():
        tree, node = first(wrong)
        raise SubmissionError(
            f"samples.npz: nodes: node {node} of tree {tree} is at {nodes[tree, node].tolist()},"
            f" expected finite numbers from -{FAR:g} to {FAR:g}"
        )
    root = real & (parents == -1)
    many = root.sum(axis=1) != 1
    if many.any():
        tree = int(many.argmax())
        raise SubmissionError(
            f"samples.npz: parents: tree {tree} has {root[tree].sum()} roots (parent -1), expected"
            " exactly one"
        )
    wrong = real & ~root & ((parents < 0) | (parents >= counts[:, None]))
    if wrong.any():
        tree, node = first(wrong)
        raise SubmissionError(
            f"samples.npz: parents: node {node} of tree {tree} has parent {parents[tree, node]},"
            f" expected -1 or a node from 0 to {counts[tree] - 1}"
        )
    above = np.where(real & ~root, parents, np.where(real, root.argmax(axis=1)[:, None], place))
    return rooted(nodes, above, real, root)


def rooted(nodes, above, real, root):
    """Moves each tree's root to (0, 0) and counts depths. Raises SubmissionError for a cycle."""
    depths = np.zeros(real.shape, np.int64)
    climbing = above
    roots = root.argmax(axis=1)[:, None]
    at = np.broadcast_to(np.arange(real.shape[1]), real.shape)
    for _ in range(MOST):
        on_the_way = real & (at != roots)
        if not on_the_way.any():
            break
        depths += on_the_way
        at = np.take_along_axis(climbing, at, axis=1)
    else:
        tree, node = first(real & (at != roots))
        raise SubmissionError(
            f"samples.npz: parents: node {node} of tree {tree} does not lead to the root: there is"
            " a cycle"
        )
    origin = np.take_along_axis(nodes, roots[:, :, None], axis=1)
    moved = np.where(real[:, :, None], nodes - origin, 0.0)
    return Trees(moved, above, depths, real, real & ~root)


def first(wrong):
    """The tree and the node of the first place where `wrong` [N, M] holds."""
    tree, node = np.unravel_index(wrong.argmax(), wrong.shape)
    return int(tree), int(node)

"""The data of a run: labelled folders, decoded once and checked as a whole."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs import added, labelled
from galaxy_edge.inputs.catalogue import read as read_catalogue
from galaxy_edge.inputs.labelled import LabelledFile, Loaded, Split
from galaxy_edge_train.config import TrainConfig
from galaxy_edge_train.degradation import preprocessing_before_degradation


@dataclass(frozen=True, slots=True)
class Dataset:
    """Decoded splits of one data folder.

    Attributes:
        root: absolute path of the folder.
        classes: names of the classes; of two, the negative and the positive one.
        splits: "Train", "Valid" and, if it exists, "Test". Training images that will be degraded
            still have their working size; `degradation.degrade` enlarges them.
        container: absolute path of the container of the images; None for files.
    """

    root: Path
    classes: tuple[str, ...]
    splits: dict[Split, Loaded]
    container: str | None = None

    def counts(self, split: Split) -> dict[str, int]:
        """Number of images of each class."""
        labels = self.splits[split].labels
        return {name: int(np.sum(labels == label)) for label, name in enumerate(self.classes)}

    def manifest(self) -> dict[str, Any]:
        """A record of the data: counts, the digest of each file, and the files left out."""
        place = {} if self.container is None else {"container": self.container}
        return place | {
            "root": str(self.root),
            "digest": labelled.digest(self.splits),
            "counts": {split: self.counts(split) for split in self.splits},
            "files": {
                split: [
                    {"path": self._relative(file.path), "label": file.label, "sha256": sha256}
                    | ({"source": file.source} if file.source else {})
                    for file, sha256 in zip(loaded.files, loaded.digests, strict=True)
                ]
                for split, loaded in self.splits.items()
            },
            "left_out": [
                {"path": self._relative(fault.path), "reason": fault.reason}
                for loaded in self.splits.values()
                for fault in loaded.faults
            ],
        }

    def _relative(self, path: Path) -> str:
        # A catalogue may name files anywhere.
        if not path.is_relative_to(self.root):
            return path.as_posix()
        return path.relative_to(self.root).as_posix()


def load(
    root: Path,
    config: TrainConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Dataset:
    """Read, check and decode a data folder, a catalogue or a container.

    Args:
        root: folder with ``Train``, ``Valid`` and optionally ``Test``; or a catalogue or a
            container, if the configuration has its columns.
        config: classes, preprocessing, and whether unreadable files may be left out.
        progress: called with the number of files done so far and the total.

    Raises:
        DatasetError: lists every fault: missing or empty folders, unreadable files (unless they
            are skipped), images that are in two splits or in two classes.
    """
    root = root.absolute()
    name = str(root)
    listed: Mapping[Split, Sequence[LabelledFile]]
    container = config.labelled_container(root)
    if config.catalogue is None:
        listed, problems = labelled.scan(root, config.classes)
    else:
        catalogue = (
            read_catalogue(root, config.catalogue, config.classes)
            if container is None
            else container.catalogue(config.classes)
        )
        root, listed, problems = catalogue.root, catalogue.splits, [*catalogue.problems]
    if (mixed := config.mixed_images()) is not None:
        paths = [Path(path) for path in config.added]
        joined = added.join(listed, paths, config.classes, mixed)
        listed, problems = joined.splits, [*problems, *joined.problems]
        print(
            f"galaxy-edge: added labels: {joined.relabelled:,} images of {name} and "
            f"{joined.new:,} new ones for training",
            file=sys.stderr,
        )
    if config.skip_unreadable:
        rows = [problem for problem in problems if problem.startswith("row ")]
        problems = [problem for problem in problems if problem not in rows]
        for problem in rows:
            print(f"left out: {problem}", file=sys.stderr)
    reader = container or mixed
    total = sum(map(len, listed.values()))
    splits: dict[Split, Loaded] = {}
    before = 0
    for split, files in listed.items():
        steps = config.preprocessing
        if split == "Train" and config.augment.degrades:
            steps = preprocessing_before_degradation(steps)
        splits[split] = labelled.load(
            files,
            steps,
            partial(_report_progress, progress, before, total),
            None if reader is None else reader.of(files),
        )
        before += len(files)
    dataset = Dataset(root, config.classes, splits, None if container is None else container.path)
    if not config.skip_unreadable:
        problems += _unreadable(dataset)
    elif not problems:
        problems += _empty_classes(dataset)
    problems += _duplicates(dataset)
    if problems:
        raise DatasetError(name, problems)
    for loaded in splits.values():
        for fault in loaded.faults:
            print(f"left out: {fault.path}: {fault.reason}", file=sys.stderr)
    return dataset


def _report_progress(
    progress: Callable[[int, int], None], before: int, total: int, done: int
) -> None:
    progress(before + done, total)


def _unreadable(dataset: Dataset) -> list[str]:
    return [
        f"{fault.path}: {fault.reason} (use --skip-unreadable to train without it)"
        for loaded in dataset.splits.values()
        for fault in loaded.faults
    ]


def _empty_classes(dataset: Dataset) -> list[str]:
    return [
        f"{split} has no readable image of {name}"
        for split, loaded in dataset.splits.items()
        for label, name in enumerate(dataset.classes)
        if label not in loaded.labels
    ]


def _duplicates(dataset: Dataset) -> list[str]:
    places: defaultdict[str, dict[tuple[Split, int], Path]] = defaultdict(dict)
    for split, loaded in dataset.splits.items():
        for file, sha256 in zip(loaded.files, loaded.digests, strict=True):
            places[sha256].setdefault((split, file.label), file.path)
    problems = []
    for found in places.values():
        if len(found) > 1:
            where = "classes" if len({split for split, _ in found}) == 1 else "splits"
            paths = " and ".join(map(str, found.values()))
            problems.append(f"the same image is in two {where}: {paths}; keep one")
    return problems

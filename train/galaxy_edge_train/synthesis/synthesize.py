"""The synthesis: from real cutouts to a data set of real and synthetic ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import Split
from galaxy_edge_train.progress import Bar
from galaxy_edge_train.random_state import keras_in_use
from galaxy_edge_train.run import Run
from galaxy_edge_train.synthesis import realism, reals
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.fakes import FAMILIES, Family, Reals
from galaxy_edge_train.synthesis.reals import SPLITS, Cutout, Source
from galaxy_edge_train.synthesis.shares import allocate
from galaxy_edge_train.synthesis.writer import write

#: Of each split, the cutouts of each source that are used.
Chosen: TypeAlias = dict[Split, list[tuple[Cutout, ...]]]


def synthesize(
    folders: Sequence[Path],
    output: Path,
    config: SynthesisConfig,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Make fakes from the training split of real cutouts, and write both classes.

    Args:
        folders: folders of real cutouts, one per source.
        output: the data set to create; it must not exist.
        config: all parameters.
        resume: continue an interrupted synthesis of the same folders and options.
        quiet: show no progress; what is left out is still listed.

    Returns:
        The data set: ``{Train,Valid}/Real/SOURCE`` and ``{Train,Valid}/Fake/FAMILY/SOURCE``, with
        ``config.json``, ``data.json`` (file, digest and split of each real image),
        ``generators.json`` (how each family was trained), ``realism.json``, ``realism.png`` and
        ``contact_sheet.png``.

    Raises:
        UsageError: the folders or the output cannot be used.
    """
    run = Run(output)
    # `start` checks again; checking here fails before the images are decoded.
    run.check_free(resume=resume)
    for folder in folders:
        if output.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"{output} is inside {folder}, whose images are used as real ones; choose an "
                "output outside of it"
            )
    with Bar(quiet=quiet) as bar:
        sources = reals.read(folders, config.preprocessing, bar.show_decoding)
        for source in sources:
            for path, fault in source.faults:
                bar.warn(f"left out: {path}: {fault}")
        # Before `run.start` creates the folder: after an error here, a folder would block the next
        # attempt.
        chosen = _chosen(sources, config)
        run.start(config.document() | {"keras": keras_in_use()}, _manifest(sources), resume=resume)
        bar.clear()
        for split in SPLITS:
            for source, cutouts in zip(sources, chosen[split], strict=True):
                folder = run.partial / split / "Real" / source.name
                write(folder, (cutout.pixels for cutout in cutouts))
        records = {}
        for name in config.families:
            family = FAMILIES[name](name, config, run.checkpoints, bar)
            # Only the reals that are also written, so that training takes no more work than was
            # asked for.
            records[name] = family.train(_reals(chosen["Train"]))
            _write_fakes(family, sources, chosen, run)
        run.write_json("generators.json", records)
        bar.note("comparing real and synthetic images")
        realism.report(run.partial)
    return run.finish()


def _write_fakes(family: Family, sources: list[Source], chosen: Chosen, run: Run) -> None:
    names = family.config.families
    # Each family has its own share of the reals, as some families alter them.
    share = slice(names.index(family.name), None, len(names))
    groups = {split: [cutouts[share] for cutouts in chosen[split]] for split in SPLITS}
    fakes = _unlike_reals(family, _reals(*groups.values()), sources)
    for split in SPLITS:
        for source, group in zip(sources, groups[split], strict=True):
            folder = run.partial / split / "Fake" / family.name / source.name
            write(folder, islice(fakes, len(group)))


def _unlike_reals(family: Family, wanted: Reals, sources: list[Source]) -> Iterator[Pixels]:
    """The fakes of a family; an error if one equals a real image of either split."""
    known = {
        sha256(cutout.pixels.tobytes()).digest(): cutout.path
        for source in sources
        for cutouts in source.splits.values()
        for cutout in cutouts
    }
    for fake in family.fakes(wanted):
        path = known.get(sha256(fake.tobytes()).digest())
        if path is not None:
            raise UsageError(
                f"{family.name} made a fake that equals the real image {path}, which may be blank; "
                "remove blank images and start again"
            )
        yield fake


def _reals(*splits: list[tuple[Cutout, ...]]) -> Reals:
    """The cutouts of one or several splits, source by source."""
    number = len(splits[0])
    pixels = [cutout.pixels for split in splits for cutouts in split for cutout in cutouts]
    indices = [i for split in splits for i, cutouts in enumerate(split) for _ in cutouts]
    return Reals(np.stack(pixels), np.eye(number, dtype=np.float32)[indices])


def _chosen(sources: list[Source], config: SynthesisConfig) -> Chosen:
    """The reals to use. Each gets one fake, so that the source cannot reveal the class."""
    wanted: dict[Split, int] = {"Train": config.train, "Valid": config.valid}
    least = len(config.families)
    chosen: Chosen = {}
    for split in SPLITS:
        counts = allocate(wanted[split], [len(source.splits[split]) for source in sources])
        for source, count in zip(sources, counts, strict=True):
            if count < least:
                raise UsageError(
                    f"{source.name}: {count} images for {split}, which is fewer than the "
                    f"{least} generators; give more images, raise --train and --valid, or name "
                    "fewer with --generator"
                )
        chosen[split] = [
            source.splits[split][:count] for source, count in zip(sources, counts, strict=True)
        ]
    return chosen


def _manifest(sources: list[Source]) -> dict[str, Any]:
    return {
        source.name: {
            "left_out": [{"path": str(path), "reason": fault} for path, fault in source.faults],
        }
        | {
            split: [
                {"path": str(cutout.path), "sha256_of_pixels": cutout.digest}
                for cutout in source.splits[split]
            ]
            for split in SPLITS
        }
        for source in sources
    }

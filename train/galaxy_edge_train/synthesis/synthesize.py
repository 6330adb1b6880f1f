"""The synthesis: from real cutouts to a data set of real and synthetic ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import Split
from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators import FAMILIES, Generator
from galaxy_edge_train.generators.generator import to_pixels
from galaxy_edge_train.generators.training import Progress, fit
from galaxy_edge_train.progress import Bar
from galaxy_edge_train.random_state import keras_in_use
from galaxy_edge_train.run import Run
from galaxy_edge_train.synthesis import realism, reals
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.reals import SPLITS, Source
from galaxy_edge_train.synthesis.shares import allocate, divide
from galaxy_edge_train.synthesis.writer import write

#: Images sampled at once. It bounds the memory, and is one step of the progress bar.
_SAMPLE_BATCH = 64
#: Part of the seed, so that sampling and training use different random numbers.
_SAMPLING_STREAM = 2**32 - 2


def synthesize(
    folders: Sequence[Path],
    output: Path,
    config: SynthesisConfig,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Train generators on the training split of real cutouts, and write both classes.

    Args:
        folders: folders of real cutouts, one per source.
        output: the data set to create; it must not exist.
        config: all parameters.
        resume: continue an interrupted synthesis of the same folders and options.
        quiet: show no progress; what is left out is still listed.

    Returns:
        The data set: ``{Train,Valid}/Real/SOURCE`` and ``{Train,Valid}/Fake/FAMILY/SOURCE``, with
        ``config.json``, ``data.json`` (file, digest and split of each real image),
        ``generators.json`` (losses and seconds), ``realism.json``, ``realism.png`` and
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
        counts = _counts(sources, config)
        run.start(config.document() | {"keras": keras_in_use()}, _manifest(sources), resume=resume)
        bar.clear()
        for split in SPLITS:
            for source, count in zip(sources, counts[split], strict=True):
                chosen = [cutout.pixels for cutout in source.splits[split][:count]]
                write(run.partial / split / "Real" / source.name, chosen)
        trained = {}
        for name in config.families:
            generator, trained[name] = _train(name, sources, counts["Train"], config, run, bar)
            _write_fakes(name, generator, sources, counts, config, run, bar)
        run.write_json("generators.json", {name: asdict(each) for name, each in trained.items()})
        bar.note("comparing real and synthetic images")
        realism.report(run.partial)
    return run.finish()


def _train(
    name: str,
    sources: list[Source],
    counts: list[int],
    config: SynthesisConfig,
    run: Run,
    bar: Bar,
) -> tuple[Generator, Progress]:
    # Each family starts from the seed, so that its result does not depend on the other families.
    keras.utils.set_random_seed(config.seed)
    generator = FAMILIES[name](config.size, len(sources))
    budget = config.budget(generator.epochs)

    def show_step(epoch: int, step: int, steps: int, loss: float) -> None:
        text = f"{name}, epoch {epoch}/{budget.epochs}  loss {loss:.4f}"
        bar.show(text, step, steps)
        if step == steps:
            bar.clear()
            bar.note(text)

    # Only the reals that are also written, so that training takes no more work than was asked for.
    chosen = [
        (i, cutout)
        for i, count in enumerate(counts)
        for cutout in sources[i].splits["Train"][:count]
    ]
    progress = fit(
        generator,
        np.stack([cutout.pixels for _, cutout in chosen]),
        _one_hot([i for i, _ in chosen], len(sources)),
        run.checkpoints / f"{name}.npz",
        budget,
        batch_size=config.batch_size,
        seed=config.seed,
        on_step=show_step,
    )
    return generator, progress


def _write_fakes(
    name: str,
    generator: Generator,
    sources: list[Source],
    counts: dict[Split, list[int]],
    config: SynthesisConfig,
    run: Run,
    bar: Bar,
) -> None:
    part = config.families.index(name)
    groups = [
        (split, i, divide(counts[split][i], len(config.families))[part])
        for split in SPLITS
        for i in range(len(sources))
    ]
    source_indices = [i for _, i, share in groups for _ in range(share)]
    rng = np.random.default_rng([config.seed, _SAMPLING_STREAM])
    fakes: list[Pixels] = []
    while len(fakes) < len(source_indices):
        wanted = source_indices[len(fakes) : len(fakes) + _SAMPLE_BATCH]
        # Fill up the last batch, or Keras would compile the networks again for its size.
        padded = wanted + wanted[-1:] * (_SAMPLE_BATCH - len(wanted))
        made = to_pixels(generator.sample(_one_hot(padded, len(sources)), rng))
        fakes += list(made[: len(wanted)])
        bar.show(f"{name}, samples", len(fakes), len(source_indices))
    bar.clear()
    for split, i, share in groups:
        write(run.partial / split / "Fake" / name / sources[i].name, fakes[:share])
        del fakes[:share]


def _counts(sources: list[Source], config: SynthesisConfig) -> dict[Split, list[int]]:
    """Images of each class from each source: equal, so that the source cannot reveal the class."""
    wanted: dict[Split, int] = {"Train": config.train, "Valid": config.valid}
    counts = {
        split: allocate(wanted[split], [len(source.splits[split]) for source in sources])
        for split in SPLITS
    }
    least = len(config.families)
    for split, each in counts.items():
        for source, count in zip(sources, each, strict=True):
            if count < least:
                raise UsageError(
                    f"{source.name}: {count} images for {split}, which is fewer than the "
                    f"{least} generators; give more images, raise --train and --valid, or name "
                    "fewer with --generator"
                )
    return counts


def _one_hot(indices: Sequence[int], number: int) -> Floats:
    return np.eye(number, dtype=np.float32)[indices]


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

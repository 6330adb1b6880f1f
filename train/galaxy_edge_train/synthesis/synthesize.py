"""From real cutouts to a data set of real and synthetic ones: the synthesis itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators import FAMILIES, Generator
from galaxy_edge_train.generators.generator import to_pixels
from galaxy_edge_train.generators.training import Progress, fit
from galaxy_edge_train.network import keras_in_use
from galaxy_edge_train.progress import Bar
from galaxy_edge_train.run import Run
from galaxy_edge_train.synthesis import realism, reals
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.reals import HALVES, Half, Source
from galaxy_edge_train.synthesis.shares import allocate, split
from galaxy_edge_train.synthesis.writer import write

#: Images made at once: memory, and a step of the progress bar.
_AT_ONCE = 64
#: Keeps the samples' random numbers apart from those of the training.
_SAMPLES = 2**32 - 2


def synthesize(
    folders: Sequence[Path],
    output: Path,
    config: SynthesisConfig,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Train generators on the training half of real cutouts, and write both classes.

    Args:
        folders: real cutouts, a source each.
        output: the data set to make; it must not exist.
        config: all numbers.
        resume: go on with an interrupted synthesis of the same folders and options.
        quiet: no progress.

    Returns:
        The data set: ``{Train,Valid}/Real/SOURCE`` and ``{Train,Valid}/Fake/FAMILY/SOURCE``, with
        ``config.json``, ``data.json`` (each real image's file, digest and half),
        ``generators.json`` (losses and seconds), ``realism.json``, ``realism.png`` and
        ``contact_sheet.png``.

    Raises:
        UsageError: the folders or the output cannot be used.
    """
    run = Run(output)
    # `start` asks again; asking here spares the user the wait for a sure refusal.
    run.check_free(resume=resume)
    for folder in folders:
        if output.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{output} lies in {folder}, whose images are taken for real ones")
    with Bar(quiet=quiet) as bar:
        sources = reals.read(folders, config.preprocessing, bar.decoded)
        for source in sources:
            for path, fault in source.faults:
                bar.note(f"left out: {path}: {fault}")
        # Before the folder is made: what is refused here would stand in the way of the next try.
        counts = _counts(sources, config)
        run.start(config.document() | {"keras": keras_in_use()}, _manifest(sources), resume=resume)
        bar.clear()
        for half in HALVES:
            for source, count in zip(sources, counts[half], strict=True):
                chosen = [cutout.pixels for cutout in source.halves[half][:count]]
                write(run.partial / half / "Real" / source.name, chosen)
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
    # Each family starts from the seed, whichever others are made with it.
    keras.utils.set_random_seed(config.seed)
    generator = FAMILIES[name](config.size, len(sources))
    budget = config.budget(name)

    def told(epoch: int, step: int, steps: int, loss: float) -> None:
        text = f"{name}, epoch {epoch}/{budget.epochs}  loss {loss:.4f}"
        bar.show(text, step, steps)
        if step == steps:
            bar.clear()
            bar.note(text)

    # The very reals that are written: as many from each source, and no more work than was asked.
    learned = [
        (i, cutout)
        for i, count in enumerate(counts)
        for cutout in sources[i].halves["Train"][:count]
    ]
    progress = fit(
        generator,
        np.stack([cutout.pixels for _, cutout in learned]),
        _one_hot([i for i, _ in learned], len(sources)),
        run.checkpoints / f"{name}.npz",
        budget,
        batch_size=config.batch_size,
        seed=config.seed,
        told=told,
    )
    return generator, progress


def _write_fakes(
    name: str,
    generator: Generator,
    sources: list[Source],
    counts: dict[Half, list[int]],
    config: SynthesisConfig,
    run: Run,
    bar: Bar,
) -> None:
    part = config.families.index(name)
    groups = [
        (half, i, split(counts[half][i], len(config.families))[part])
        for half in HALVES
        for i in range(len(sources))
    ]
    kinds = [i for _, i, share in groups for _ in range(share)]
    rng = np.random.default_rng([config.seed, _SAMPLES])
    fakes: list[Pixels] = []
    while len(fakes) < len(kinds):
        asked = kinds[len(fakes) : len(fakes) + _AT_ONCE]
        # As many each time, or the networks would be compiled for another number of images.
        filled = asked + asked[-1:] * (_AT_ONCE - len(asked))
        made = to_pixels(generator.sample(_one_hot(filled, len(sources)), rng))
        fakes += list(made[: len(asked)])
        bar.show(f"{name}, samples", len(fakes), len(kinds))
    bar.clear()
    for half, i, share in groups:
        write(run.partial / half / "Fake" / name / sources[i].name, fakes[:share])
        del fakes[:share]


def _counts(sources: list[Source], config: SynthesisConfig) -> dict[Half, list[int]]:
    """Images of each class from each source: the same for both, so that it tells neither."""
    wanted: dict[Half, int] = {"Train": config.train, "Valid": config.valid}
    counts = {
        half: allocate(wanted[half], [len(source.halves[half]) for source in sources])
        for half in HALVES
    }
    least = len(config.families)
    for half, each in counts.items():
        for source, count in zip(sources, each, strict=True):
            if count < least:
                raise UsageError(
                    f"{count} images of {source.name} for {half} are fewer than the generators: "
                    "give more, with a larger --train and --valid, or fewer --generator"
                )
    return counts


def _one_hot(kinds: Sequence[int], number: int) -> Floats:
    return np.eye(number, dtype=np.float32)[kinds]


def _manifest(sources: list[Source]) -> dict[str, Any]:
    return {
        source.name: {
            "left_out": [{"path": str(path), "reason": fault} for path, fault in source.faults],
        }
        | {
            half: [
                {"path": str(cutout.path), "sha256_of_pixels": cutout.digest}
                for cutout in source.halves[half]
            ]
            for half in HALVES
        }
        for source in sources
    }

"""``galaxy-edge export``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import Quiet
from galaxy_edge_export.config import (
    THRESHOLD,
    Activation,
    InputRange,
    Limits,
    Quantization,
    Target,
    VerdictRule,
)

if TYPE_CHECKING:
    from galaxy_edge_export.report import Report
    from galaxy_edge_export.verdicts import Verdicts

_LIMITS = Limits()
_QUANTIZATION = Quantization()
_RULE = VerdictRule()
_VERDICTS = "Images without a label"
_BARE = "Only for a bare model, without its run folder"


def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_MODEL",
            help="A run folder, a .keras or .h5 file, or a SavedModel folder.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Output file.",
            show_default="MODEL.onnx, MODEL-int8.onnx or MODEL-fp16.onnx next to the model",
        ),
    ] = None,
    quantize: Annotated[
        bool, typer.Option("--quantize", help="Write int8 if it stays within the limits below.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Write fp16, for GPUs; it is slower on a CPU.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with Train/ and Valid/, for the typicality and to quantise with; or the "
            "new place of the container that the run was trained on.",
            show_default="the images of the run",
        ),
    ] = None,
    calibration_images: Annotated[
        int,
        typer.Option(help="Number of training images to calibrate on, equally many of each class."),
    ] = _QUANTIZATION.calibration_images,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed for choosing the calibration images.")
    ] = _QUANTIZATION.seed,
    max_accuracy_drop: Annotated[
        float, typer.Option(help="Largest drop in accuracy, percentage points.")
    ] = _LIMITS.accuracy_drop,
    max_flips: Annotated[
        float, typer.Option(help="Largest share of verdicts that may change, percent.")
    ] = _LIMITS.flips,
    max_auc_drop: Annotated[
        float, typer.Option(help="Largest drop in AUC, absolute.")
    ] = _LIMITS.auc_drop,
    min_speedup: Annotated[
        float, typer.Option(help="Minimum speed relative to the float file on this machine.")
    ] = _LIMITS.speedup,
    target: Annotated[
        Target | None,
        typer.Option(
            help="Quantise for these processors. The default, weights in 7 bits, is correct on "
            "all of them.",
            show_default="all",
        ),
    ] = _QUANTIZATION.target,
    portable: Annotated[
        bool,
        typer.Option("--portable", help="Keep the plain layout, for OpenVINO and other devices."),
    ] = _QUANTIZATION.portable,
    dense_bits: Annotated[
        int, typer.Option(help="Bits of the weights of dense layers, 8 or 4; 4 halves the file.")
    ] = _QUANTIZATION.dense_bits,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Recorded in the manifest. Two classes: a score above it is the positive class. "
            "More: a score below it is uncertain.",
            show_default=f"{THRESHOLD}; for more than two classes, none",
        ),
    ] = None,
    typicality: Annotated[
        bool,
        typer.Option(
            help="Compute how usual an image is among the training images.",
            rich_help_panel=_VERDICTS,
        ),
    ] = _RULE.typicality,
    ood_limit: Annotated[
        str,
        typer.Option(
            metavar="X|off",
            help="An image is out of distribution if a smaller share of the training kind than "
            "this is less usual.",
            rich_help_panel=_VERDICTS,
        ),
    ] = str(_RULE.ood_limit),
    open_class: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The one of two classes that has unknown kinds, such as Fake: unusual images are "
            "never called the other class.",
            show_default="none",
            rich_help_panel=_VERDICTS,
        ),
    ] = _RULE.open_class,
    abstain_error: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Leave scores uncertain, so that at most this share of the labels is wrong on "
            "the validation images.",
            show_default="off",
            rich_help_panel=_VERDICTS,
        ),
    ] = _RULE.abstain_error,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Class names in the order of the outputs; of two, the positive one last.",
            show_default="Fake,Real",
            rich_help_panel=_BARE,
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Size of the network's input, pixels.",
            show_default="the model's",
            rich_help_panel=_BARE,
        ),
    ] = None,
    resize: Annotated[
        Literal["nearest", "bilinear", "lanczos"] | None,
        typer.Option(help="Resizing filter.", show_default="nearest", rich_help_panel=_BARE),
    ] = None,
    working_size: Annotated[
        int | None,
        typer.Option(
            help="Size to which images are first reduced, pixels.",
            show_default="off",
            rich_help_panel=_BARE,
        ),
    ] = None,
    input_range: Annotated[
        InputRange | None,
        typer.Option(
            help="Pixel values that the network takes: images divided by 255, not scaled, or "
            "divided by 127.5 minus 1.",
            show_default="what the model shows, if it rescales",
            rich_help_panel=_BARE,
        ),
    ] = None,
    activation: Annotated[
        Activation | None,
        typer.Option(
            help="Add this after the last layer, for a model that gives logits.",
            show_default="none",
            rich_help_panel=_BARE,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a trained model as one verified, self-describing ONNX file.

    The float file must score as the model (within 1e-5; with --half, 5e-3). The int8 file must
    stay within the limits on the validation images. If a file fails, nothing is written and the
    exit code is 5.
    """
    # tf2onnx reads TensorFlow graphs, regardless of the backend that trained the model.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with importing("export"):
        from galaxy_edge_export.export import prepare, write
        from galaxy_edge_export.trained import find

    from galaxy_edge.errors import UsageError
    from galaxy_edge.inputs.preprocessing import Preprocessing

    if half and quantize:
        raise UsageError("--half and --quantize write different files; run export once for each")
    rule = VerdictRule(
        typicality, parsing.number_or("off", ood_limit, "--ood-limit"), open_class, abstain_error
    )
    if data is not None and not (quantize or typicality or rule.needs_images):
        raise UsageError(
            "--data needs --quantize or the typicality; this export would read no images"
        )
    if (target is not None or portable or dense_bits != _QUANTIZATION.dense_bits) and not quantize:
        raise UsageError("--target, --portable and --dense-bits need --quantize")
    if dense_bits not in (4, 8):
        raise UsageError(f"--dense-bits must be 8 or 4, not {dense_bits}")
    if calibration_images < 2:
        raise UsageError(f"--calibration-images must be at least 2, not {calibration_images}")
    trained = find(
        source,
        parsing.class_names("Fake,Real" if classes is None else classes),
        Preprocessing(
            size=150 if image_size is None else image_size,
            resize="nearest" if resize is None else resize,
            working_size=working_size,
        ),
        input_range,
        activation,
        sized=image_size is not None,
    )
    bare_only = (classes, image_size, resize, working_size, input_range, activation)
    if not trained.bare and any(value is not None for value in bare_only):
        raise UsageError(
            f"{trained.path.parent} records its classes and the preprocessing of its images; leave "
            "out --classes, --image-size, --resize, --working-size, --input-range and --activation"
        )
    limits = Limits(max_accuracy_drop, max_flips, max_auc_drop, min_speedup)
    how = (
        Quantization(calibration_images, seed, limits, target, portable, dense_bits)
        if quantize
        else None
    )
    suffix = "-int8.onnx" if quantize else "-fp16.onnx" if half else ".onnx"
    if output is None:
        # A SavedModel is a folder, which may be given as ".".
        path = trained.path if trained.path.name else trained.path.resolve()
        output = path.with_name((path.name if path.is_dir() else path.stem) + suffix)
    if not output.parent.is_dir():
        raise UsageError(
            f"{output} cannot be written: the folder {output.parent} does not exist; create it or "
            "choose another output"
        )
    prepared = prepare(trained, how, threshold, half=half, data=data, rule=rule)
    if not quiet:
        _show(prepared.report)
    write(prepared, output)
    typer.echo(output)


def _show(report: Report) -> None:
    from rich.box import HEAVY_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    from galaxy_edge.cli.terminal import has_boxes

    console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
    table = Table("", "size", "one image", "batch of 32", box=HEAVY_HEAD if has_boxes() else None)
    cost = report.cost
    if cost is not None:
        table.add_column("accuracy")
        table.add_column("AUC")
    for column in table.columns[1:]:
        column.justify = "right"
    first = report.rows[0]
    quality = (
        [(cost.fp32_accuracy, cost.fp32_auc), (cost.int8_accuracy, cost.int8_auc)]
        if cost
        else [()] * len(report.rows)
    )
    for row, measured in zip(report.rows, quality, strict=True):
        cells = [
            row.name,
            decimal(row.size),
            f"{row.single:.2f} ms ({first.single / row.single:.2f}x)",
            f"{row.batch:.2f} ms ({first.batch / row.batch:.2f}x)",
        ]
        if measured:
            cells += [f"{measured[0]:.2f} %", f"{measured[1]:.5f}"]
        table.add_row(*cells)
    console.print(table)
    compared = "fp32" if cost else report.rows[-1].name
    console.print(
        f"{compared} against {report.source}: largest difference of a score {report.parity:.1e}"
    )
    if report.verdicts is not None:
        for line in _of_verdicts(report.verdicts):
            console.print(line, markup=False)
    for note in report.notes:
        console.print(note, markup=False)
    if cost is not None:
        console.print(
            f"int8 against fp32 on {cost.images} validation images: accuracy "
            f"{0.0 - cost.accuracy_drop:+.2f} points, {cost.flips:.2f} % of the verdicts flip, AUC "
            f"{0.0 - cost.auc_drop:+.5f}; ranges from {report.calibration_images} training images"
        )


def _of_verdicts(found: Verdicts) -> list[str]:
    """What the file says of the validation images, one line each."""
    lines = []
    if (typicality := found.typicality) is not None:
        sources = ", ".join(f"{name} ({count:,})" for name, count in typicality.sources.items())
        lines.append(f"typicality: fitted to {sources}")
        lines.append(
            f"typicality: {typicality.single:.0%} of the network's time for one image, "
            f"{typicality.batch:.0%} in a batch; within {typicality.difference:.0e} of its "
            "definition"
        )
    counts = (
        ("out of distribution", found.out_of_distribution),
        ("uncertain", found.uncertain),
    )
    for status, by_class in counts:
        shares = [
            f"{by_class[name] / images:.1%} of {images:,} {name}"
            for name, images in found.images.items()
            if images
        ]
        if any(by_class.values()) or status == "out of distribution":
            lines.append(f"{status}: {', '.join(shares)} validation images")
    if (band := found.rule.abstain) is not None:
        lines.append(f"uncertain: scores from {band[0]:.4g} to {band[1]:.4g}")
    return lines

"""Measurements as plain text, with times in milliseconds and memory in MiB."""

from __future__ import annotations

from collections.abc import Iterator

from galaxy_edge.benchmark.compare import Comparison, Comparisons
from galaxy_edge.benchmark.machine import Machine
from galaxy_edge.benchmark.measurement import Measurement
from galaxy_edge.benchmark.spread import Percentiles
from galaxy_edge.benchmark.subject import Model
from galaxy_edge.benchmark.workload import Images
from galaxy_edge.golden import describe
from galaxy_edge.outputs.text import printable


def table(found: Measurement | Comparisons) -> str:
    """Format the results as a table."""
    lines = _comparisons(found) if isinstance(found, Comparisons) else _measurement(found)
    return "\n".join(lines)


def _measurement(found: Measurement) -> Iterator[str]:
    yield from _machine(found.machine)
    yield _model("model", found.model)
    yield _line("images", _images(found.images))
    yield ""
    yield _header("single-stream, ms per image")
    single = found.single_stream
    yield _row("  latency", single.latency_seconds)
    yield _row("    decode", single.decode_seconds)
    yield _row("    run", single.run_seconds)
    yield _row("    write", single.write_seconds)
    many = found.offline
    yield _header(f"offline, batches of {many.batch_size}, ms per image")
    yield _row("    decode, one thread", many.decode_seconds)
    yield _row("    run, all threads", many.run_seconds)
    yield _row("    write", many.write_seconds)
    rate = many.images_per_second
    yield _line(
        "  images/s",
        f"{rate.median:.0f} ({rate.low:.0f} to {rate.high:.0f} in {rate.samples} streams, "
        f"{many.images} images)",
    )
    yield _header("cold, ms")
    yield _row("  process, start to end", found.cold.process_seconds)
    yield _one("    first process", found.cold.first_process_seconds)
    yield _one("  first load", found.cold.load_seconds)
    yield _header("warm, ms")
    yield _row("  load", found.warm.load_seconds)
    yield ""
    peak, grown = found.memory.peak_bytes, found.memory.model_bytes
    if peak is None or grown is None:
        yield _line("memory", "not measured on this system")
    else:
        yield _line("memory", f"peak {_mib(peak)}, of which loading the model took {_mib(grown)}")


def _comparisons(found: Comparisons) -> Iterator[str]:
    yield from _machine(found.machine)
    yield _model("A", found.a)
    yield _model("B", found.b)
    yield _line(
        "images", f"{_images(found.images)}; {found.differing_verdicts} of the verdicts differ"
    )
    for name, each in (("single-stream", found.single_stream), ("offline", found.offline)):
        yield ""
        yield _header(f"{name}, ms per image")
        yield _row("  A", each.a_seconds)
        yield _row("  B", each.b_seconds)
        yield _ratio(each)


def _ratio(each: Comparison) -> str:
    ratio = each.ratio
    spread = f"({ratio.low:.3f} to {ratio.high:.3f}, {ratio.samples} rounds)"
    result = f"A takes {ratio.median:.3f} times as long as B {spread}"
    no_difference = "; the interval contains 1, so no difference was demonstrated"
    return f"  {result}" + no_difference * ratio.contains(1)


def _machine(found: Machine) -> Iterator[str]:
    yield _line("machine", f"{found.cpu}, {found.os}")
    yield _line("threads", f"{found.threads}, from {found.threads_from}")
    packages = ", ".join(f"{name} {number}" for name, number in found.packages.items() if number)
    yield _line("versions", f"python {found.python}, {packages}")


def _model(subject: str, found: Model) -> str:
    name = f"{printable(found.name)}, {found.sha256[:12]}, {found.provider}"
    return _line(subject, f"{name}; {describe(found.golden)}")


def _images(found: Images) -> str:
    first = "the first " if found.truncated else ""
    kind = "drawn, PNG" if found.drawn else "given"
    return f"{first}{found.count} {kind}, {_span(found.widths_px)} x {_span(found.heights_px)} px"


def _span(lengths: tuple[int, int]) -> str:
    least, most = lengths
    return f"{least}" if least == most else f"{least}-{most}"


def _line(subject: str, text: str) -> str:
    return f"{subject:<12} {text}"


def _header(title: str) -> str:
    return f"{title:<40}{'p50':>10}{'p90':>10}{'p99':>10}{'samples':>10}"


def _row(name: str, found: Percentiles) -> str:
    cells = "".join(f"{_ms(each):>10}" for each in (found.p50, found.p90, found.p99))
    return f"{name:<40}{cells}{found.samples:>10}"


def _one(name: str, seconds: float) -> str:
    return f"{name:<40}{_ms(seconds):>10}{'':>20}{1:>10}"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.3f}"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"

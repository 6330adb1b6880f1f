"""The evaluation as one HTML file: no scripts, no network, the pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

from galaxy_edge.evaluation import table
from galaxy_edge.evaluation.bootstrap import LEVEL
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.results import printable

#: Unreadable images that are listed; ``scores.csv`` has all.
_LISTED = 100
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd;
         white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
code { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
"""


def html(evaluation: Evaluation, pictures: Mapping[str, bytes]) -> str:
    """Write the report.

    Args:
        evaluation: what to report.
        pictures: heading of each picture, and its PNG file.

    Returns:
        A whole HTML document. All that comes from outside, names of files and folders above all,
        is escaped.
    """
    title = f"{printable(evaluation.model)} on {printable(evaluation.data)}"
    names = evaluation.classes
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(table.summary(evaluation))}.</p>",
        f"<p>Model SHA-256: <code>{escape(evaluation.model_sha256)}</code></p>",
        "<h2>All images</h2>",
        _rows(table.overall(evaluation), header=False),
        _rows(table.by_class(evaluation)),
        "<h2>Each source apart</h2>",
        _rows(table.by_source(evaluation)),
        f"<p>{escape(_reading(evaluation))}</p>",
    ]
    for heading, png in pictures.items():
        encoded = base64.b64encode(png).decode("ascii")
        parts.append(
            f"<h2>{escape(heading)}</h2>\n"
            f'<img alt="{escape(heading)}" src="data:image/png;base64,{encoded}">'
        )
    if evaluation.unreadable:
        parts.append(_unreadable(evaluation))
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}: {escape(" or ".join(names))}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _rows(rows: table.Rows, *, header: bool = True) -> str:
    lines = []
    for number, row in enumerate(rows):
        cell = "th" if header and number == 0 else "td"
        lines.append("<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in row) + "</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _reading(evaluation: Evaluation) -> str:
    """How the numbers are to be read."""
    negative, positive = evaluation.classes
    text = (
        f"The accuracy of a source is the share of its images that are called what they are. Its "
        f"AUC is against all images of the other class. The expected calibration error is the mean "
        f"of |mean P({positive}) - share of {positive}| over bins of P({positive}), weighted with "
        f"their images; like accuracy, precision and the Brier score it holds for this mix of "
        f"{negative} and {positive}."
    )
    if resamples := evaluation.bootstrap.resamples:
        text += (
            f" In brackets: {LEVEL:.0%} percentile intervals of {resamples:,} bootstrap resamples, "
            f"stratified by class, seed {evaluation.bootstrap.seed}. They tell how far a number "
            "would move with other images of the same sources, not with other sources; at 0 and 1 "
            "they have no width, and tell nothing."
        )
    return text


def _unreadable(evaluation: Evaluation) -> str:
    failed = evaluation.unreadable
    items = [
        f"<li><code>{escape(printable(one.path or '-'))}</code>: "
        f"{escape(printable(one.error or ''))}</li>"
        for one in failed[:_LISTED]
    ]
    if hidden := len(failed) - len(items):
        items.append(f"<li>and {hidden:,} more; scores.csv has all</li>")
    listed = "\n".join(items)
    return f"<h2>Unreadable, without a score: {len(failed):,}</h2>\n<ul>\n{listed}\n</ul>"

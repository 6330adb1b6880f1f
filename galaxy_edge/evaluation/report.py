"""The evaluation as one HTML file, with embedded pictures and without scripts or network access."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

from galaxy_edge.evaluation import table
from galaxy_edge.evaluation.bootstrap import LEVEL
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.outputs.text import printable

#: Maximum number of unreadable images to list; ``scores.csv`` lists all.
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
        evaluation: the results to report.
        pictures: the PNG files, by heading.

    Returns:
        A complete HTML document. All text from outside, such as names of files and folders, is
        escaped.
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
        "<h2>Each source</h2>",
        _rows(table.by_source(evaluation)),
        f"<p>{escape(_explanation(evaluation))}</p>",
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


def _explanation(evaluation: Evaluation) -> str:
    """What the numbers mean."""
    negative, positive = evaluation.classes
    text = (
        f"The accuracy of a source is the share of its images that are classified correctly. Its "
        f"AUC is measured against all images of the other class. The expected calibration error is "
        f"the mean of |mean P({positive}) - share of {positive}| over bins of P({positive}), "
        f"weighted by their number of images. Like accuracy, precision and the Brier score, it is "
        f"valid only for this mix of {negative} and {positive}."
    )
    if resamples := evaluation.bootstrap.resamples:
        text += (
            f" The brackets are {LEVEL:.0%} percentile intervals from {resamples:,} bootstrap "
            f"resamples, stratified by class, with seed {evaluation.bootstrap.seed}. They show how "
            "much a number would vary with other images of the same sources, not with other "
            "sources. At 0 and 1 the intervals have no width and carry no information."
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
        items.append(f"<li>and {hidden:,} more; scores.csv lists all</li>")
    listed = "\n".join(items)
    return f"<h2>Unreadable images, without a score: {len(failed):,}</h2>\n<ul>\n{listed}\n</ul>"

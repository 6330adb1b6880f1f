"""The evaluation as one HTML file, with embedded pictures and without scripts or network access."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from galaxy_edge.evaluation import views
from galaxy_edge.evaluation.text import Rows
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
td { vertical-align: top; }
small { color: #555; }
img { max-width: 100%; }
code { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
"""


def html(evaluation: views.Any, pictures: Iterable[tuple[str, bytes]]) -> str:
    """Write the report.

    Args:
        evaluation: the results to report.
        pictures: heading and PNG file of each picture.

    Returns:
        A complete HTML document. All text from outside, such as names of files and folders, is
        escaped.
    """
    title = f"{printable(evaluation.run.model)} on {printable(evaluation.run.data)}"
    names = evaluation.run.classes
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(views.summary(evaluation))}.</p>",
        f"<p>Model SHA-256: <code>{escape(evaluation.run.model_sha256)}</code></p>",
    ]
    for section in views.sections(evaluation):
        if section.title is not None:
            parts.append(f"<h2>{escape(section.title)}</h2>")
        parts.append(_rows(section.rows, header=section.header))
    parts.append(f"<p>{escape(views.explanation(evaluation))}</p>")
    for heading, png in pictures:
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


def _rows(rows: Rows, *, header: bool = True) -> str:
    lines = []
    # A column without a heading is the interval of the one before it. Below the number it leaves
    # room for the others.
    below = [header and number > 0 and not text for number, text in enumerate(rows[0])]
    for number, row in enumerate(rows):
        cell = "th" if header and number == 0 else "td"
        cells = [escape(text) for text in row]
        for place in reversed([place for place, under in enumerate(below) if under]):
            if interval := cells.pop(place):
                cells[place - 1] += f"<br><small>{interval}</small>"
        lines.append("<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in cells) + "</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _unreadable(evaluation: views.Any) -> str:
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

"""``galaxy-edge doctor``."""

from __future__ import annotations

import typer

from galaxy_edge.errors import DeviceError


def doctor() -> None:
    """Say what this machine can do: versions, threads, devices, and the bundled model on each.

    Exit code 4 when something makes its verdicts untrustworthy.
    """
    from galaxy_edge.doctor import examine

    faults = []
    for finding in examine():
        typer.echo(f"{finding.subject:<12} {finding.detail}")
        if finding.fault:
            faults.append(finding.subject)
    if faults:
        raise DeviceError(f"not to be trusted here: {', '.join(faults)}")

"""``galaxy-edge doctor``."""

from __future__ import annotations

import typer

from galaxy_edge.errors import DeviceError


def doctor() -> None:
    """Check this machine: versions, threads, devices, and the bundled model on each device.

    The exit code is 4 if a problem makes its verdicts unreliable.
    """
    from galaxy_edge.doctor import examine

    faults = []
    for finding in examine():
        typer.echo(f"{finding.subject:<12} {finding.detail}")
        if finding.fault:
            faults.append(finding.subject)
    if faults:
        raise DeviceError(
            f"verdicts are not reliable on this machine; problems found: {', '.join(faults)}"
        )

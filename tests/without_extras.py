"""The option ``--without-extras``: skip what needs a package that only an extra installs.

Without it, a missing package is an error, so that no test is skipped by mistake. It is for
environments that cannot have every package: the lowest versions, a new Python, other systems.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from importlib.util import find_spec
from typing import Any

import pytest

#: Modules of the extras. The runtime itself imports none of them by force.
MODULES = {
    "astropy", "boto3", "confluent_kafka", "fastavro", "h5py", "hatchling", "keras", "matplotlib",
    "moto", "obstore", "onnx", "pandas", "pyarrow", "ray", "scipy", "sklearn", "tensorflow",
    "tf2onnx", "tifffile", "watchfiles", "zarr",
}  # fmt: skip
_MISSING = re.compile(r"No module named '(\w+)|needs (\w+), which is not installed")


def missing(text: str) -> str | None:
    """The package that an error says is not installed, if it is one of an extra."""
    found = [one or other for one, other in _MISSING.findall(text)]
    names = [name for name in found if name in MODULES]
    return names[0] if names else None


def applies(config: pytest.Config, module: str) -> bool:
    """Whether tests are to do without a module, because it is not installed."""
    return bool(config.getoption("without_extras")) and find_spec(module) is None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-extras", action="store_true",
        help="skip tests of packages that only an extra installs, if they are not installed",
    )  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and collector.config.getoption("without_extras"):
        _skip(report, str(collector.path), str(report.longrepr))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and item.config.getoption("without_extras") and call.excinfo is not None:
        _skip(report, str(item.path), str(call.excinfo.value))
    return report


def _skip(report: Any, path: str, text: str) -> None:
    if name := missing(text):
        report.outcome = "skipped"
        report.longrepr = (path, 0, f"Skipped: {name} is not installed")

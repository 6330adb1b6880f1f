from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import pytest

from galaxy_edge import doctor, versions
from galaxy_edge.engine.device import PROVIDERS
from galaxy_edge.golden import Verification

Cli = Callable[..., tuple[int, str, str]]


def lines(out: str) -> dict[str, str]:
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}


def test_doctor_reports_versions_threads_and_devices(cli: Cli):
    import onnxruntime

    code, out, err = cli("doctor")
    assert (code, err) == (0, "")
    found = lines(out)
    assert found["numpy"] == version("numpy")
    assert found["cpu"].startswith("yes: 10 of 10 golden examples compared")
    assert found["threads"][0].isdigit()
    assert " from " in found["threads"]
    available = onnxruntime.get_available_providers()
    for device, provider in PROVIDERS.items():
        # It has no such option.
        assert "--device" not in found[device]
        if provider not in available:
            assert found[device].startswith("no: ")
            assert provider in found[device]


def test_two_installed_runtimes_are_a_fault(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    def both(name: str) -> str:
        return "1.2.3" if name in {"onnxruntime", "onnxruntime-gpu"} else version(name)

    monkeypatch.setattr(versions, "version", both)
    code, out, err = cli("doctor")
    assert code == 4
    assert "overwrite each other" in lines(out)["onnxruntime"]
    assert "onnxruntime" in err


def test_a_cpu_whose_scores_differ_is_a_fault(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "verify", lambda predictor: Verification(8, 8, 0.01, "CPU"))
    code, out, _ = cli("doctor")
    assert code == 4
    assert lines(out)["cpu"].startswith("wrong: ")


def test_a_missing_distribution_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", none)
    assert lines(cli("doctor")[1])["onnxruntime"] == "none"

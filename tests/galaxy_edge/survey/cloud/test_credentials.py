"""Credentials of AWS are found where its SDKs find them, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.galaxy_edge.survey.cloud.test_buckets import objects, upload
from tests.galaxy_edge.survey.sources import files

Cli = Callable[..., tuple[int, str, str]]
#: Must never be in a message, a row or a ledger.
IDENTIFIER, SECRET = "AKIAofTHEprofile", "secretOFtheProfile"


@pytest.fixture(params=["profile", "default profile", "named file"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose files have the credentials and the region."""
    name = "survey" if request.param == "profile" else "default"
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    text = f"[{name}]\naws_access_key_id = {IDENTIFIER}\naws_secret_access_key = {SECRET}\n"
    (folder / "credentials").write_text(text)
    section = name if name == "default" else f"profile {name}"
    (folder / "config").write_text(f"[{section}]\nregion = us-east-1\n")
    for one in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(one, raising=False)
    if request.param == "named file":
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        monkeypatch.setenv("HOME", str(tmp_path))
    else:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if request.param == "profile":
        monkeypatch.setenv("AWS_PROFILE", name)
    return tmp_path / "home"


def test_a_profile_signs_and_is_not_shown(
    buckets: Any, home: Path, tmp_path: Path, model_file: Path, cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    from galaxy_edge.survey.cloud import bucket

    proxy = buckets({})
    upload(files(tmp_path / "images", 3), "images")
    run = ["survey", "s3://night/images", "-m", model_file, "-o", "s3://verdicts/v"]
    done = cli(*run)
    assert done[0] == 1, done
    assert proxy.signers == {IDENTIFIER}
    monkeypatch.setattr(bucket, "_TRIES", 1)
    monkeypatch.setattr(bucket, "_RETRY", {"max_retries": 0})
    buckets({"500": 1.0})
    failed = cli(*run)
    assert failed[0] == 2
    buckets({})
    shown = "".join(map(str, (*done, *failed)))
    kept = b"".join(objects("v").values()).decode("latin-1")
    assert len(kept) > 1000
    assert not any(secret in text for secret in (SECRET, IDENTIFIER) for text in (shown, kept))


def test_a_profile_that_does_not_exist(
    buckets: Any, model_file: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    buckets({})
    code, _, err = cli("survey", "s3://night/x/", "-m", model_file, "-o", "s3://verdicts/v")
    assert (code, "the profile of AWS has no usable credentials; check it" in err) == (2, True)

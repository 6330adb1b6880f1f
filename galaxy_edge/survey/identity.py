"""What all parts of a survey have in common: its source, its model and its options."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.containers.layout import Layout, layout_from
from galaxy_edge.inputs.preprocessing import (
    Preprocessing,
    preprocessing_document,
    preprocessing_from,
)
from galaxy_edge.predictor import Predictor
from galaxy_edge.survey.store import Store

#: The file with the identity. Version 1.
FILE = "survey.json"
_VERSION = 1

#: What a difference means, for the fields whose names do not say it.
_WORDS = {
    "model_sha256": "model",
    "part_size": "part size",
    "ood_limit": "out-of-distribution limit",
    "layout": "way to read containers",
    "digest": "choice of --digest",
    "recursive": "choice of --recursive",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What all parts of a survey have in common.

    Attributes:
        source: as the user wrote it.
        recursive: whether folders below the source belong to it.
        part_size: images of a part that is a run of paths.
        model: name of the model file; the digest decides.
        model_sha256: digest of the model file.
        threshold: threshold of the decision.
        ood_limit: a typicality below it is out of distribution.
        digest: whether each row has the digest of its input.
        preprocessing: from an image to the network's input.
        layout: how containers are read.
    """

    source: str
    recursive: bool
    part_size: int
    model: str
    model_sha256: str
    threshold: float | None
    ood_limit: float | None
    digest: bool
    preprocessing: Preprocessing
    layout: Layout

    @classmethod
    def of(
        cls,
        source: str,
        predictor: Predictor,
        layout: Layout | None,
        *,
        recursive: bool,
        part_size: int,
    ) -> Identity:
        """The identity of a survey that is about to run."""
        if part_size < 1:
            raise UsageError(f"the size of a part must be at least 1, not {part_size}")
        return cls(
            source,
            recursive,
            part_size,
            predictor.name,
            predictor.sha256,
            predictor.threshold,
            predictor.decision.ood_limit,
            predictor.digest,
            predictor.preprocessing,
            layout or Layout(),
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready values."""
        document = {name: getattr(self, name) for name in self.__slots__}
        document["preprocessing"] = preprocessing_document(self.preprocessing)
        document["layout"] = self.layout.document()
        # Tuples become lists, as after reading.
        return json.loads(json.dumps({"version": _VERSION, **document}))  # type: ignore[no-any-return]

    def predictor(
        self, model: Path | None, *, device: str, threads: int | None, batch_size: int
    ) -> Predictor:
        """A predictor that gives the rows of this survey.

        Raises:
            UsageError: the model is another one.
        """
        found = Predictor(model, device=device, check=False)
        if found.sha256 != self.model_sha256:
            raise UsageError(
                f"the rows are from another model, {self.model} (SHA-256 "
                f"{self.model_sha256[:12]}), not {found.name} ({found.sha256[:12]}); give it with "
                "-m"
            )
        limited = found.manifest.outputs.typicality is not None
        return Predictor(
            model,
            device=device,
            threads=threads,
            threshold=self.threshold,
            ood_limit=(self.ood_limit or 0.0) if limited else None,
            batch_size=batch_size,
            stretch=asdict(self.preprocessing.stretch),
            digest=self.digest,
        )


def begin(store: Store, identity: Identity) -> None:
    """Write the identity of a survey, or compare it with the one that exists.

    Raises:
        UsageError: the store has another survey, or other files.
    """
    check(store, identity)
    content = json.dumps(identity.document(), indent=1) + "\n"
    if not store.create(FILE, content.encode()):
        check(store, identity)


def check(store: Store, identity: Identity) -> None:
    """Compare the identity of a survey with the one in a store, if there is one.

    Raises:
        UsageError: the store has another survey, or other files.
    """
    if store.read(FILE) is None:
        if [*store.names("")]:
            raise UsageError(f"{store} is not empty and has no survey; choose another destination")
        return
    document, earlier = identity.document(), _document(store)
    # A model file may be renamed.
    differences = [
        _WORDS.get(name, name)
        for name in document
        if name != "model" and document[name] != earlier.get(name)
    ]
    if differences:
        raise UsageError(
            f"{store} has the rows of a survey with another {' and another '.join(differences)} "
            f"(see {FILE} in it); choose another destination"
        )


def read(store: Store) -> Identity:
    """The identity of the survey in a store.

    Raises:
        UsageError: the store has no survey.
    """
    document = _document(store)
    try:
        document.pop("version")
        steps = preprocessing_from(document.pop("preprocessing"))
        return Identity(
            **document | {"preprocessing": steps, "layout": layout_from(document["layout"])}
        )
    except (KeyError, TypeError) as error:
        raise UsageError(f"{FILE} in {store} is damaged: {error!r}") from error


def _document(store: Store) -> dict[str, Any]:
    content = store.read(FILE)
    if content is None:
        raise UsageError(f"{store} has no survey: there is no {FILE}")
    try:
        document = json.loads(content)
        version = document["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{FILE} in {store} is damaged: {error}") from error
    if version != _VERSION:
        raise UsageError(f"{FILE} in {store} is of version {version}; a newer galaxy-edge reads it")
    return document  # type: ignore[no-any-return]

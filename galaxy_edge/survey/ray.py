"""Classify the parts of a survey as tasks of Ray (the extra ``ray``)."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

import ray

from galaxy_edge import job
from galaxy_edge.errors import UsageError
from galaxy_edge.predictor import Predictor
from galaxy_edge.survey.identity import Identity
from galaxy_edge.survey.ledger import Entry, Ledger
from galaxy_edge.survey.parts import Part
from galaxy_edge.survey.places import store
from galaxy_edge.survey.running import classify

#: How often a task is repeated after its process or its machine was lost.
_RETRIES = 10
#: Of a cluster on this machine. Otherwise Ray starts workers before the command may begin, and
#: waits for ever if one of them dies meanwhile. Those that it starts for a task are replaced.
_NO_EARLY_WORKERS = ("RAY_prestart_worker_first_driver", "0")


def entries(
    parts: Iterable[Part],
    predictor: Predictor,
    identity: Identity,
    destination: str,
    address: str | None,
) -> Iterator[Entry]:
    """Classify parts, each in a task on one core, and yield their entries as they are finished.

    Args:
        parts: the parts; twice as many as the cluster has cores are in its hands at a time.
        predictor: gives the verdicts; each worker opens its model again.
        identity: what all parts have in common.
        destination: where the rows go: a place that all machines of the cluster share.
        address: of a running cluster, or ``auto``; None to start one on this machine.

    Raises:
        UsageError: there is no cluster at this address, it was lost, or what a task raised.
    """
    _begin(address)
    task: Any = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
    pickled = pickle.dumps(predictor)
    most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: dict[Any, Part] = {}
    try:
        for part in parts:
            waiting[task.remote(part, pickled, identity, destination, os.getcwd())] = part  # noqa: PTH109
            if len(waiting) == most:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        ray.shutdown()


def _begin(address: str | None) -> None:
    if address is None:
        os.environ.setdefault(*_NO_EARLY_WORKERS)
    try:
        # Without an address, Ray would look for a cluster of this machine, and would wait for
        # one that has ended.
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster accepts this command at {address}: start it, check its token, or "
            "leave out --address"
        ) from error
    except Exception as error:
        # Ray raises this class itself if its own processes end while they start.
        if type(error) is not Exception:
            raise
        raise UsageError(
            f"Ray cannot start on this machine ({error}); repeat the command, with fewer other "
            "programs running"
        ) from error


def _first(waiting: dict[Any, Part]) -> Entry:
    """The entry of the task that ends first; the task is removed."""
    (done,), _ = ray.wait([*waiting])
    part = waiting.pop(done)
    try:
        return ray.get(done)  # type: ignore[no-any-return]
    except ray.exceptions.RayTaskError as error:
        # Its own text is a traceback.
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"Ray gave up {part.name} ({type(error).__name__}): its process was lost "
            f"{_RETRIES + 1} times, or Ray itself has ended. Finished parts are kept: repeat the "
            "command. A process that is lost again and again may need more memory"
        ) from None


def _work(part: Part, pickled: bytes, identity: Identity, destination: str, folder: str) -> Entry:
    # Paths may be relative to the folder of the command.
    with suppress(OSError):
        os.chdir(folder)
    predictor = _opened(pickled)
    ledger = Ledger(store(destination), job.origin(predictor, identity.layout.keep), identity)
    # A task is repeated if its process was lost, perhaps after its end.
    return ledger.entry(part) or classify(part, predictor, identity.layout, ledger)


@lru_cache(maxsize=1)
def _opened(pickled: bytes) -> Predictor:
    """The predictor of this worker, for all of its parts: each opening takes time and memory."""
    return pickle.loads(pickled)  # type: ignore[no-any-return]  # noqa: S301 - from the command

"""Whatever waits is scored together, by the thread that is free first."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from galaxy_edge import Predictor, Source
from galaxy_edge.errors import ModelError
from galaxy_edge.serve.limits import Limits
from galaxy_edge.serve.scoring import scoring
from galaxy_edge.serve.service import Service
from galaxy_edge.serve.waiting import FullError, Line
from tests.galaxy_edge.serve.servers import EXAMPLES, Server, counted

IMAGES = [path.read_bytes() for path in EXAMPLES]


def served(service: Service, batch_size: int = 8, threads: int = 1):
    return scoring(
        service.line, service.predictor, service.metrics, threads=threads, batch_size=batch_size,
        note=lambda text: None,
    )  # fmt: skip


def batches(service: Service) -> tuple[float, float]:
    """How many batches there were, and how many images in them."""
    lines = service.metrics.text().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = "galaxy_edge_batch_images"
    return float(values[f"{name}_count"]), float(values[f"{name}_sum"])


def test_requests_that_wait_are_one_batch(predictor: Predictor):
    service = Service(predictor, Limits())

    async def test() -> None:
        answers = [service.line.add([Source(image)]) for image in IMAGES]
        with served(service):
            await asyncio.gather(*[answer.done for answer in answers])
        found = [answer.predictions() for answer in answers]
        assert found == [[predictor.predict(image)] for image in IMAGES]

    asyncio.run(test())
    assert batches(service) == (2, 12)


def test_answers_keep_the_order_of_their_images(predictor: Predictor):
    service = Service(predictor, Limits())

    async def test() -> None:
        with served(service, batch_size=3, threads=4):
            answers = [service.line.add([Source(one) for one in IMAGES]) for _ in range(6)]
            await asyncio.gather(*[answer.done for answer in answers])
        expected = [predictor.predict(image) for image in IMAGES]
        assert [answer.predictions() for answer in answers] == [expected] * 6

    asyncio.run(test())


def test_what_nobody_waits_for_is_not_scored(predictor: Predictor):
    service = Service(predictor, Limits())

    async def test() -> None:
        given_up = service.line.add([Source(one) for one in IMAGES])
        wanted = service.line.add([Source(IMAGES[0])])
        given_up.given_up = True
        with served(service):
            await wanted.done

    asyncio.run(test())
    assert batches(service) == (1, 1)


def test_a_model_that_fails_fails_its_requests_only(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
):
    service = Service(predictor, Limits())
    whole = predictor.scores_and_typicality
    faults = [ModelError("lost the GPU")]

    def fail_once(images):
        if faults:
            raise faults.pop()
        return whole(images)

    monkeypatch.setattr(predictor, "scores_and_typicality", fail_once)

    async def test() -> None:
        first = service.line.add([Source(IMAGES[0])])
        with served(service):
            await first.done
            second = service.line.add([Source(IMAGES[1])])
            await second.done
        with pytest.raises(ModelError, match="lost the GPU"):
            first.predictions()
        assert second.predictions()[0].status == "ok"

    asyncio.run(test())


def test_a_line_takes_all_or_nothing():
    async def test() -> None:
        line = Line(3)
        line.add([Source(b"a"), Source(b"b")])
        with pytest.raises(FullError):
            line.add([Source(b"c"), Source(b"d")])
        line.add([Source(b"e")])
        assert [one.source.content for one in line.take(2)] == [b"a", b"b"]
        line.close()
        assert [one.source.content for one in line.take(2)] == [b"e"]
        assert line.take(2) == []

    asyncio.run(test())


def test_many_clients_share_batches(server: Server):
    before = counted(server, 'galaxy_edge_rows_total{status="ok"}')
    started = counted(server, "galaxy_edge_batch_images_count")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(server.ask, "POST", "/v1/predict", IMAGES[i % 12]) for i in range(80)]
        assert [one.result().json()["status"] for one in asked] == ["ok"] * 80
    assert counted(server, 'galaxy_edge_rows_total{status="ok"}') == before + 80
    assert counted(server, "galaxy_edge_batch_images_count") < started + 80
    assert counted(server, "galaxy_edge_waiting_images") == 0

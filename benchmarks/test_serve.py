"""How many requests `galaxy-edge serve` answers, and whether it survives bad clients.

    pytest benchmarks/test_serve.py -s
    SOAK_SECONDS=600 pytest benchmarks/test_serve.py -s -k soak

The bound is what the cores could do if they did nothing else: cores / (seconds to decode one image
+ seconds to score it in a batch). `predict_many` is what they do at the time, in Python, without
HTTP; other work on the machine slows it as it slows the server. Clients and server share the cores.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.serving import Serving, answer, load, post
from galaxy_edge import Predictor
from galaxy_edge.engine.threads import threads
from galaxy_edge.inputs.images import decode

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
#: Share of the images per second of `predict_many` that 64 connections must reach.
GOAL = 0.4
#: Megabytes by which memory may grow after the first tenth of the soak.
GROWTH = 20
#: Seconds in which every client must have got an answer, or the end of its connection.
PATIENCE = 120


def jpeg(path: Path) -> bytes:
    """A galaxy as users have it: 424 px, JPEG."""
    file = io.BytesIO()
    Image.open(path).convert("RGB").resize((424, 424)).save(file, "JPEG", quality=90)
    return file.getvalue()


IMAGES = [jpeg(path) for path in EXAMPLES]


def bound() -> float:
    """Images per second that the cores could classify."""
    predictor = Predictor(threads=1, device="cpu")
    batch = np.stack([decode(IMAGES[i % 12], predictor.preprocessing) for i in range(32)])
    seconds = []
    for work in (
        lambda: [decode(image, predictor.preprocessing) for image in IMAGES],
        lambda: predictor.scores_and_typicality(batch),
    ):
        times = []
        for _ in range(15):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        seconds.append(float(np.median(times)))
    each = seconds[0] / len(IMAGES) + seconds[1] / len(batch)
    return threads().count / each


def alone(seconds: float) -> float:
    """Images per second of `predict_many`."""
    predictor = Predictor(device="cpu")
    count = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        count += sum(1 for _ in predictor.predict_many(IMAGES * 8))
    return count / (time.perf_counter() - start)


def test_requests_per_second(pytestconfig: pytest.Config) -> None:
    timed = not pytestconfig.getoption("benchmark_disable")
    most = bound()
    print(f"\nbound {most:.0f} images/s on {threads().count} cores")
    requests = [post(image) for image in IMAGES]
    length = 10 if timed else 0.3
    without = [alone(length / 2)]
    rate = 0.0
    with Serving() as serving:
        asyncio.run(load(serving.port, requests, 8, 1 if timed else 0.2))
        for connections in (1, 8, 64):
            found = asyncio.run(load(serving.port, requests, connections, length))
            median, p99 = np.percentile(found.latencies, (50, 99)) * 1e3
            rate = found.rate
            print(
                f"{connections:2} connections: {rate:.0f} requests/s ({rate / most:.0%} of the "
                f"bound), median {median:.1f} ms, p99 {p99:.1f} ms"
            )
    without.append(alone(length / 2))
    print(f"predict_many: {without[0]:.0f} images/s before, {without[1]:.0f} after")
    assert not timed or rate > GOAL * np.mean(without)


class Soak:
    """Clients of every kind, and what became of their requests."""

    def __init__(self, serving: Serving, seconds: float) -> None:
        self.outcomes: Counter[str] = Counter()
        self.longest: dict[str, float] = {}
        self._port = serving.port
        self._end = time.monotonic() + seconds
        self._chance = random.Random(1)  # noqa: S311
        boundary = "--b\r\nContent-Disposition: form-data; name=i; filename="
        self._several = (
            b"".join(f'{boundary}"{i}"\r\n\r\n'.encode() + IMAGES[i] + b"\r\n" for i in range(12))
            + b"--b--\r\n"
        )

    async def run(self) -> None:
        """Let all kinds of clients ask until the end."""
        kinds = (self.good, self.good, self.several, self.bad, self.large, self.broken, self.slow)
        every = [self._repeat(kind) for kind in (*kinds * 4, self.health)]
        await asyncio.gather(*every)

    async def _repeat(self, kind: Callable[[], Awaitable[str]]) -> None:
        name = kind.__name__
        while (start := time.monotonic()) < self._end:
            try:
                outcome = await asyncio.wait_for(kind(), PATIENCE)
            except TimeoutError:
                raise AssertionError(f"{name}: no answer, and no end, in {PATIENCE} s") from None
            self.outcomes[f"{name}: {outcome}"] += 1
            self.longest[name] = max(self.longest.get(name, 0.0), time.monotonic() - start)

    async def _ask(self, request: bytes, wanted: tuple[int, ...]) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            status, body = await answer(reader)
        # The server may close while a refused body is still being sent.
        except (ConnectionError, asyncio.IncompleteReadError):
            if 413 not in wanted:
                raise
            return "closed"
        finally:
            writer.close()
        # On a machine that is busy enough, any body is late.
        assert status in {*wanted, 408}, (status, body)
        return str(status)

    async def good(self) -> str:
        """One image."""
        return await self._ask(post(self._chance.choice(IMAGES)), (200, 503))

    async def several(self) -> str:
        """A dozen images."""
        kind = "multipart/form-data; boundary=b"
        return await self._ask(post(self._several, kind), (200, 503))

    async def bad(self) -> str:
        """What is no image, or no request."""
        chance = self._chance
        body = bytearray(chance.choice([*IMAGES[:3], self._several, chance.randbytes(999)]))
        for _ in range(5):
            body[chance.randrange(len(body))] = chance.randrange(256)
        del body[chance.randrange(len(body)) :]
        kind = chance.choice(["image/png", "multipart/form-data; boundary=b", "application/jsonl"])
        path = chance.choice(["/v1/predict", "/v1/preview", "/v2/models/galaxy-edge/infer"])
        return await self._ask(post(bytes(body), kind, path), (200, 400, 413, 422, 503))

    async def large(self) -> str:
        """More than the server takes."""
        await asyncio.sleep(0.2)
        return await self._ask(post(bytes(6_000_000)), (413,))

    async def broken(self) -> str:
        """A client that leaves in the middle of its request, or before its answer."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        request = post(self._several, "multipart/form-data; boundary=b")
        writer.write(request[: self._chance.randrange(len(request) + 1)])
        await asyncio.sleep(self._chance.uniform(0, 0.05))
        writer.transport.abort()
        return "left"

    async def slow(self) -> str:
        """A client that sends its headers or its image too slowly."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        request = post(IMAGES[0])
        start = self._chance.choice([0, 20, 120, len(request) - 9])
        writer.write(request[:start])
        try:
            for place in range(start, start + 9):
                await asyncio.sleep(1.5)
                writer.write(request[place : place + 1])
            status, _ = await answer(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            return "closed"
        finally:
            writer.close()
        assert status in {408, 503}
        return str(status)

    async def health(self) -> str:
        """A probe."""
        await asyncio.sleep(0.2)
        return await self._ask(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", (200,))


def test_soak(pytestconfig: pytest.Config) -> None:
    timed = not pytestconfig.getoption("benchmark_disable")
    seconds = float(os.environ.get("SOAK_SECONDS", "60" if timed else "6"))
    sizes: list[float] = []

    async def run(serving: Serving) -> Soak:
        soak = Soak(serving, seconds)
        running = asyncio.ensure_future(soak.run())
        while not running.done():
            sizes.append(serving.resident())
            await asyncio.wait([running], timeout=seconds / 200)
        running.result()
        return soak

    with Serving("--timeout", "10", "--max-size", "5MB") as serving:
        soak = asyncio.run(run(serving))
    outcomes = soak.outcomes
    tenth = len(sizes) // 10
    early, late = np.median(sizes[tenth : 2 * tenth]), np.median(sizes[-tenth:])
    print(f"\n{seconds:.0f} s, memory {early:.0f} MB after a tenth, {late:.0f} MB at the end")
    each = [f"{np.median(part):.0f}" for part in np.array_split(sizes, 10)]
    print("MB in each tenth:", ", ".join(each))
    print("\n".join(f"{count:7} {name}" for name, count in sorted(outcomes.items())))
    print("longest:", ", ".join(f"{name} {each:.1f} s" for name, each in soak.longest.items()))
    assert {name.split(":")[0] for name in outcomes} == {
        "good", "several", "bad", "large", "broken", "slow", "health"
    }  # fmt: skip
    assert outcomes["good: 200"] > 0
    assert not timed or late - early < GROWTH

"""A service that scores images over HTTP, with one or several detectors of adframe.

    python serve.py --model parts=runs/parts-1 --model faces=faces.safetensors --port 8000
    curl --data-binary @photo.jpg http://127.0.0.1:8000/models/parts/score

Requests that arrive together are scored together. Each request gets a status, and a bad one takes
nothing from the others.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import queue
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from PIL import Image

import adframe

Answer = dict[str, float | bool]
Loaded = adframe.Detector | adframe.ExportedDetector
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds, of the histogram
FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")


@dataclass(frozen=True)
class Limits:
    """What a request may take.

    Attributes:
        size: bytes of an image file.
        pixels: pixels of an image.
        seconds: for the whole request: until the body has arrived, and then until the score.
        waiting: images that wait to be scored; more are refused.
        batch: images that are scored together.
    """

    size: int = 20_000_000
    pixels: int = 50_000_000
    seconds: float = 10.0
    waiting: int = 64
    batch: int = 16


def load(path: str) -> Loaded:
    """The detector of a run folder, of ``Detector.save``, or of ``adframe export``.

    Raises:
        adframe.UserError: it cannot be loaded.
    """
    exported = path.endswith((".onnx", ".pt2"))
    return adframe.load_export(path) if exported else adframe.load(path)


def rule_of(detector: Loaded) -> tuple[float | None, Any]:
    """The threshold and the sorted scores of calibration images, where there are any."""
    if isinstance(detector, adframe.ExportedDetector):
        return detector.threshold, None
    decides = detector.config.decision is not None
    return (detector.threshold, detector.calibration) if decides else (None, None)


class Model:
    """A detector with a queue, and a thread that scores what waits there.

    Args:
        path: a run folder, a file of ``Detector.save``, or an exported ``.onnx`` or ``.pt2`` file.
        limits: the limits of the service.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.detector = load(path)
        self.waiting: queue.Queue[tuple[Image.Image, Future[Answer]] | None]
        self.waiting = queue.Queue(limits.waiting)
        self.batches = self.images = 0
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, image: Image.Image) -> Future[Answer]:
        """Let an image wait to be scored.

        Raises:
            queue.Full: too many wait already.
        """
        answer: Future[Answer] = Future()
        self.waiting.put_nowait((image, answer))
        return answer

    def reload(self) -> None:
        """Load the detector again; the old one scores until the new one is there.

        Raises:
            adframe.UserError: it cannot be loaded; the old one stays.
        """
        self.detector = load(self.path)

    def close(self) -> None:
        """Score what waits, then end the thread."""
        self.waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        ended = False
        while not ended:
            items = [self.waiting.get()]
            while len(items) < self.limits.batch and not self.waiting.empty():
                items.append(self.waiting.get())
            ended = None in items
            wanted = [item for item in items if item and item[1].set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _answer(self, items: list[tuple[Image.Image, Future[Answer]]]) -> None:
        try:
            answers = self._scored([image for image, _ in items])
        except Exception as error:  # of one image: the others are scored without it
            if len(items) == 1:
                items[0][1].set_exception(error)
                return
            for item in items:
                self._answer([item])
            return
        for (_, answer), found in zip(items, answers, strict=True):
            answer.set_result(found)

    def _scored(self, images: list[Image.Image]) -> list[Answer]:
        detector = self.detector  # one and the same for a batch, also during a reload
        scores = detector.score(images)
        self.batches, self.images = self.batches + 1, self.images + len(images)
        bound, known = rule_of(detector)
        answers: list[Answer] = [{"score": float(score)} for score in scores]
        for answer in answers:
            if known is not None:
                lower = int(known.searchsorted(answer["score"], side="left"))
                answer["p_value"] = (1 + len(known) - lower) / (1 + len(known))
            if bound is not None:
                answer["anomalous"] = answer["score"] >= bound
        return answers


class Metrics:
    """Counts of requests and their seconds, as text for Prometheus."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.buckets: Counter[float] = Counter()
        self.seconds, self.count = 0.0, 0

    def add(self, model: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[model, status] += 1
        self.buckets.update(bound for bound in BOUNDS if seconds <= bound)
        self.seconds, self.count = self.seconds + seconds, self.count + 1

    def text(self, models: dict[str, Model]) -> str:
        """All metrics, one a line."""
        name = "adframe_requests_total"
        lines = [f"# TYPE {name} counter"]
        lines += [f'{name}{{model="{model}",status="{status}"}} {count}'
                  for (model, status), count in sorted(self.requests.items())]  # fmt: skip
        name = "adframe_request_seconds"
        lines += [f"# TYPE {name} histogram"]
        lines += [f'{name}_bucket{{le="{bound}"}} {self.buckets[bound]}' for bound in BOUNDS]
        lines += [f'{name}_bucket{{le="+Inf"}} {self.count}', f"{name}_count {self.count}"]
        lines += [f"{name}_sum {self.seconds}"]
        values: dict[str, tuple[str, Callable[[Model], int]]] = {
            "adframe_waiting_images": ("gauge", lambda model: model.waiting.qsize()),
            "adframe_scored_images_total": ("counter", lambda model: model.images),
            "adframe_batches_total": ("counter", lambda model: model.batches),
        }
        for name, (kind, value) in values.items():
            lines.append(f"# TYPE {name} {kind}")
            lines += [f'{name}{{model="{title}"}} {value(of)}' for title, of in models.items()]
        return "\n".join(lines) + "\n"


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: it is too large (413) or too slow (408).
    """
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.size:
                    raise HTTPException(413, f"the image has more than {limits.size} bytes")
    except TimeoutError as error:
        raise HTTPException(408, "the image did not arrive in time") from error
    return bytes(body)


def decode(body: bytes, limits: Limits) -> Image.Image:
    """The image in a body, decoded.

    Raises:
        HTTPException: it is no image (415), damaged (422), or has too many pixels (413).
    """
    try:
        image = Image.open(io.BytesIO(body), formats=FORMATS)
    except Exception as error:  # a decoder may raise anything
        raise HTTPException(415, f"not an image of {', '.join(FORMATS)}") from error
    if image.width * image.height > limits.pixels:
        raise HTTPException(413, f"{image.width}x{image.height} pixels are too many")
    try:
        image.load()
    except Exception as error:
        raise HTTPException(422, f"the image is damaged: {error}") from error
    return image


def make_app(paths: dict[str, str], limits: Limits | None = None) -> FastAPI:
    """The service.

    Args:
        paths: name of a model -> as for ``Model``.
        limits: what a request may take.

    Raises:
        adframe.UserError: a detector cannot be loaded.
    """
    limits = limits or Limits()
    models = {name: Model(path, limits) for name, path in paths.items()}
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for model in models.values():
            await asyncio.to_thread(model.close)

    app = FastAPI(title="adframe", lifespan=lifespan)

    def find(name: str) -> Model:
        if name not in models:
            raise HTTPException(404, f"no model of this name; there is: {', '.join(models)}")
        return models[name]

    async def answer(model: Model, request: Request) -> Answer:
        body = await read_body(request, limits)
        image = await asyncio.to_thread(decode, body, limits)
        try:
            waiting = model.submit(image)
        except queue.Full as error:
            text = "too many images wait; try again"
            raise HTTPException(503, text, {"Retry-After": "1"}) from error
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiting), limits.seconds)
        except TimeoutError as error:
            raise HTTPException(504, "the image was not scored in time") from error
        except adframe.UserError as error:
            raise HTTPException(422, str(error)) from error

    @app.post("/models/{name}/score")
    async def score(name: str, request: Request) -> Answer:
        model, started, status = find(name), time.monotonic(), 500
        try:
            found = await answer(model, request)
            status = 200
            return found
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            metrics.add(name, status, time.monotonic() - started)

    @app.post("/models/{name}/reload")
    async def reload(name: str) -> dict[str, str]:
        try:
            await asyncio.to_thread(find(name).reload)
        except adframe.UserError as error:
            raise HTTPException(409, f"the model stays as it was: {error}") from error
        return {"loaded": name}

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"models": {name: repr(model.detector) for name, model in models.items()}}

    @app.get("/metrics")
    async def shown() -> Response:
        return Response(metrics.text(models), media_type="text/plain; version=0.0.4")

    return app


def main() -> None:
    """Serve the models of the command line."""
    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", required=True, metavar="NAME=PATH")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    paths = dict(each.partition("=")[::2] for each in arguments.model)
    uvicorn.run(make_app(paths), **{"host": arguments.address, "port": arguments.port})


if __name__ == "__main__":
    main()

"""The service: equal scores, a status for every request, metrics, reload."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("fastapi", reason="needs it: pip install 'adframe[serve]'")
pytest.importorskip("httpx", reason="the client of the tests")

from fastapi import HTTPException
from fastapi.testclient import TestClient
from serve import Limits, make_app, read_body

import adframe

LIMITS = Limits(size=20_000, pixels=10_000, seconds=5, waiting=8, batch=4)


def png(size=25, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("serve") / "run"
    settings = ["train.epochs=0", "backbone.width=0.0625", "scorer=knn", "decision={}"]
    adframe.run(adframe.load_config("quickstart", settings), path)
    return path


@pytest.fixture(scope="module")
def saved(folder):
    adframe.load(folder).save(folder.parent / "one.safetensors")
    return folder.parent / "one.safetensors"


@pytest.fixture(scope="module")
def exported(folder):
    pytest.importorskip("onnxruntime", reason="needs it: pip install 'adframe[export]'")
    file = folder.parent / "one.onnx"
    adframe.export(adframe.load(folder), file)
    return file


@pytest.fixture(scope="module")
def client(folder, saved):
    with TestClient(make_app({"run": str(folder), "file": str(saved)}, LIMITS)) as client:
        yield client


@pytest.mark.slow
def test_an_exported_file_is_served(folder, exported):
    detector = adframe.load(folder)
    with TestClient(make_app({"onnx": str(exported)}, LIMITS)) as client:
        assert "ExportedDetector(" in client.get("/health").json()["models"]["onnx"]
        found = client.post("/models/onnx/score", content=png()).json()
    assert set(found) == {"score", "anomalous"}
    assert found["score"] == pytest.approx(float(detector.score(png())[0]), abs=1e-4)
    assert found["anomalous"] == bool(detector.decide(png())[0])


def test_scores_are_those_of_the_detector(client, folder):
    detector = adframe.load(folder)
    for name in ("run", "file"):
        found = client.post(f"/models/{name}/score", content=png()).json()
        assert found["score"] == pytest.approx(float(detector.score(png())[0]), abs=1e-6)
        assert found["p_value"] == pytest.approx(float(detector.p_values(png())[0]))
        assert found["anomalous"] == bool(detector.decide(png())[0])


def test_requests_at_once_get_their_own_scores(client, folder):
    images = [png(seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: client.post("/models/run/score", content=one), images))
    assert [answer.status_code for answer in answers] == [200] * 8
    scores = [answer.json()["score"] for answer in answers]
    np.testing.assert_allclose(scores, adframe.load(folder).score(images), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 415), (b"no image", 415), (b"\x80\x04pickle", 415), (png()[:-800], 422),
        (b"x" * 20_001, 413), (png(101)[:19_000], 413),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_gets_a_status(client, body, status):
    assert client.post("/models/run/score", content=body).status_code == status
    assert client.post("/models/run/score", content=png()).status_code == 200


def test_an_unknown_model_is_not_found(client):
    answer = client.post("/models/none/score", content=png())
    assert (answer.status_code, "run, file" in answer.json()["detail"]) == (404, True)


def test_a_full_queue_and_a_slow_score_get_a_status(folder, monkeypatch):
    entered, go = threading.Event(), threading.Event()

    def slow(self, images):
        entered.set()
        go.wait(20)
        return np.zeros(len(images), np.float32)

    monkeypatch.setattr(adframe.Detector, "score", slow)
    limits = Limits(seconds=1, waiting=1, batch=1)
    with (
        TestClient(make_app({"run": str(folder)}, limits)) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(client.post, "/models/run/score", content=png())
        assert entered.wait(20)
        model = pool.submit(client.post, "/models/run/score", content=png())
        while 'adframe_waiting_images{model="run"} 1' not in client.get("/metrics").text:
            pass
        refused = client.post("/models/run/score", content=png())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert first.result().status_code == model.result().status_code == 504
        go.set()
        assert client.post("/models/run/score", content=png()).status_code == 200


def test_a_slow_body_gets_a_status():
    class Slow:
        async def stream(self):
            yield b"x"
            await asyncio.sleep(20)

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_body(Slow(), Limits(seconds=0.05)))
    assert caught.value.status_code == 408


def test_reload_keeps_the_old_model_if_the_new_one_is_damaged(client, saved):
    whole = saved.read_bytes()
    before = client.post("/models/file/score", content=png()).json()
    assert client.post("/models/file/reload").json() == {"loaded": "file"}
    saved.write_bytes(whole[:-9])
    answer = client.post("/models/file/reload")
    assert (answer.status_code, "stays as it was" in answer.json()["detail"]) == (409, True)
    assert client.post("/models/file/score", content=png()).json() == before
    saved.write_bytes(whole)


def test_health_and_metrics(client):
    assert set(client.get("/health").json()["models"]) == {"run", "file"}
    client.post("/models/run/score", content=b"x")
    lines = client.get("/metrics").text.splitlines()
    values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
              for line in lines if not line.startswith("#")}  # fmt: skip
    assert values['adframe_requests_total{model="run",status="415"}'] >= 1
    total = sum(of for name, of in values.items() if name.startswith("adframe_requests_total"))
    assert values["adframe_request_seconds_count"] == total
    assert values['adframe_request_seconds_bucket{le="+Inf"}'] == total

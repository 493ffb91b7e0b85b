"""Networks of timm as backbones: their maps, their own names of weights, their own input."""

import pytest
import torch
from safetensors.torch import save_file

import adframe
from adframe.engine.start import load
from adframe.errors import ConfigError, UserError
from adframe.io.tensors import read_weights

timm = pytest.importorskip("timm", reason="needs timm: pip install 'adframe[timm]'")

#: one of each kind: layers one after another, flattened names, names inside, other order of axes
MODELS = ["test_resnet", "test_efficientnet", "test_vit", "test_mambaout", "test_coatnet"]


def make(model, **options):
    torch.manual_seed(0)
    return adframe.build("backbone", {"name": "timm", "model": model, **options}).eval()


def normalised(images, model):
    known = timm.models.get_pretrained_cfg(model)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (known.mean, known.std))
    return (images - mean) / std


@pytest.mark.parametrize("model", MODELS)
def test_the_maps_are_timms_and_a_whole_network_fits(model, tmp_path):
    torch.manual_seed(1)
    whole = timm.create_model(model, pretrained=False).eval()
    save_file(dict(whole.state_dict()), tmp_path / "net.safetensors")
    net = make(model)
    load(net, net.renamed(read_weights(tmp_path / "net.safetensors")), "the file")
    side = timm.models.get_pretrained_cfg(model).input_size[-1]
    images = torch.rand(1, 3, side, side)
    seen = normalised(images, model)
    if model == "test_vit":
        expected = whole.forward_intermediates(seen, indices=3, intermediates_only=True)
        expected = expected[-len(net.widths) :]
    else:
        torch.manual_seed(1)  # the same weights again, drawn in the same order
        expected = timm.create_model(model, pretrained=False, features_only=True)
        expected.load_state_dict({n.removeprefix("net."): t for n, t in net.state_dict().items()})
        expected = expected.eval()(seen)
        expected = [m if m.shape[1] == w else m.movedim(-1, 1)
                    for m, w in zip(expected, net.widths, strict=True)]  # fmt: skip
    with torch.no_grad():
        found = net(images)
        assert [map_.shape[1] for map_ in found] == net.widths
        for map_, other in zip(found, expected, strict=True):
            torch.testing.assert_close(map_, other, rtol=1e-4, atol=1e-5)
        (first,) = net(images, 1)
    torch.testing.assert_close(first, found[0])


def test_images_are_brought_to_the_size_of_the_network():
    with torch.no_grad():
        own, kept = make("test_resnet"), make("test_resnet", size="image")
        assert own(torch.rand(1, 3, 32, 32), 1)[0].shape[-1] == 80  # of 160 pixels
        assert kept(torch.rand(1, 3, 32, 32), 1)[0].shape[-1] == 16


def test_weights_of_another_network_are_refused_by_name():
    net = make("test_resnet")
    other = timm.create_model("test_efficientnet", pretrained=False).state_dict()
    with pytest.raises(UserError, match=r"missing: net\..*unexpected: ") as caught:
        load(net, net.renamed(other), "the file")
    assert "\n" not in str(caught.value)


def test_an_unknown_network_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        make("resnet_18")


def test_published_weights_are_fetched_only_for_a_new_run(monkeypatch):
    net = make("test_resnet", pretrained=True)
    given = make("test_resnet").net

    def create(name, pretrained=False, **options):
        assert pretrained
        return given

    monkeypatch.setattr(timm, "create_model", create)
    load(net, net.first_weights(), "published")
    assert all(
        torch.equal(a, b) for a, b in zip(net.net.parameters(), given.parameters(), strict=True)
    )
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: 1 / 0)
    with pytest.raises(UserError, match=r"start\.weights$") as caught:
        net.first_weights()
    assert "\n" not in str(caught.value)

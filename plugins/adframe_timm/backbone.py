"""Any network of timm that gives feature maps, as a backbone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe import UserError
from adframe.interfaces import Backbone, Fraction
from adframe_backbones.preprocess import Deviation, Mean, Preprocess, Side


class Timm(Backbone):
    """A network of timm by its name, with its own normalisation and size of the input.

    Any network that timm builds with ``features_only`` will do, a vision transformer too. Its
    stages are timm's feature maps. Needs timm.

    Args:
        model: [guess: resnet18] Name of the network, as timm lists it (``timm.list_models()``).
        pretrained: Starts a new run with the published weights of the network, which timm
            downloads once. ``start.weights`` names a file of them where there is no internet.
        size: Pixels per side of the input of the network. ``own`` is the size that it was
            published with, ``image`` keeps images as they are.
        mean: Mean of red, green and blue, which is subtracted from images in 0..1; that of the
            published network by default.
        std: Standard deviations to divide by; those of the published network by default.
        drop_path: [guess: 0] Stochastic depth, for networks that have it.
    """

    def __init__(
        self,
        model: str = "resnet18",
        pretrained: bool = False,
        size: Literal["own", "image"] | Side = "own",
        mean: Mean | None = None,
        std: Deviation | None = None,
        drop_path: Fraction = 0.0,
    ) -> None:
        super().__init__()
        self._name, self._pretrained = model, pretrained
        self._options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        self.net = self._make(features_only=True)
        self.widths = list(self.net.feature_info.channels())
        published = _published(model)
        own = published["input_size"][-1]
        self._side = {"own": own, "image": None}.get(size, size) if isinstance(size, str) else size
        self.preprocess = Preprocess(
            None, mean or tuple(published["mean"]), std or tuple(published["std"])
        )
        self._layers: set[str] = set(getattr(self.net, "return_layers", ()))

    def _make(self, **options: Any) -> Any:
        """The network with drawn weights.

        Raises:
            ValueError: timm is missing, or has no such network; one line.
        """
        try:
            import timm
        except ImportError as error:
            raise ValueError("backbone timm needs timm: pip install 'adframe[timm]'") from error
        if not timm.is_model(self._name):
            near = difflib.get_close_matches(self._name, timm.list_models(), 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"timm has no network '{self._name}'{hint}")
        try:
            return timm.create_model(self._name, pretrained=False, **options, **self._options)
        except (RuntimeError, TypeError, AssertionError, AttributeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"timm cannot make '{self._name}': {reason}") from error

    def first_weights(self) -> Mapping[str, Tensor]:
        """The published weights, if ``pretrained``.

        Raises:
            UserError: they cannot be downloaded.
        """
        if not self._pretrained:
            return {}
        import timm

        try:
            found: Any = timm.create_model(self._name, pretrained=True, features_only=True)
        except Exception as error:  # of the network, of the hub, or of the file
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"timm cannot get the weights of {self._name}: {reason}; "
                "name a file of them in start.weights"
            ) from error
        return {f"net.{name}": weight for name, weight in found.state_dict().items()}

    def renamed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translates the names of a whole network of timm, and drops what comes after the maps."""
        own = self.state_dict()
        if not weights.keys() - own.keys():
            return dict(weights)
        with torch.device("meta"):
            published = self._make().state_dict()
        found = {}
        for name, weight in weights.items():
            here = name if name in own else next(filter(own.__contains__, self._places(name)), None)
            if here is not None or name not in published:
                found[here or name] = weight
        return found

    def _places(self, name: str) -> list[str]:
        """Names that a tensor of the whole network may have here."""
        places = [f"net.{name}", f"net.model.{name}"]
        for child, _ in self.net.named_children():  # "stages.0" of the network is "stages_0" here
            start = name[: len(child)]
            if start.replace(".", "_") == child and name[len(child) :].startswith("."):
                places.append(f"net.{child}{name[len(child) :]}")
        return places

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        images = self._resized(images)
        count = depth or len(self.widths)
        maps = self._maps(self.preprocess(images), count)[:count]
        pairs = zip(maps, self.widths, strict=False)
        return [map_ if map_.shape[1] == width else map_.movedim(-1, 1) for map_, width in pairs]

    def _resized(self, images: Tensor) -> Tensor:
        side = self._side
        if side is None or images.shape[-2:] == (side, side):
            return images
        if min(images.shape[-2:]) >= side:
            return F.interpolate(images, size=(side, side), mode="area")
        return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)

    def _maps(self, images: Tensor, count: int) -> list[Tensor]:
        """Feature maps of at least ``count`` stages."""
        net: Any = self.net
        if self._layers:  # layers one after another
            features, maps = images, list[Tensor]()
            for name, layer in net.items():
                features = layer(features)
                if name in self._layers:
                    maps.append(features)
                if len(maps) == count:
                    break
            return maps
        if isinstance(getattr(net, "model", None), nn.Module) and hasattr(net, "out_indices"):
            found: list[Tensor] = net.model.forward_intermediates(
                images,
                indices=net.out_indices[:count],
                norm=net.norm,
                output_fmt=net.output_fmt,
                stop_early=True,
                intermediates_only=True,
            )
            return found
        whole: list[Tensor] = net(images)
        return whole


def _published(model: str) -> dict[str, Any]:
    """Normalisation and size of the input with which a network was published."""
    import timm.data.config

    library: Any = timm  # parts of it have no types
    known = library.models.get_pretrained_cfg(model)
    given = known.to_dict() if known is not None else {}
    config: dict[str, Any] = library.data.config.resolve_data_config(pretrained_cfg=given)
    return config

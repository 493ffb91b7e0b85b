from pathlib import Path

import torch
import yaml

CONFIG = Path(__file__).parents[3] / "configs" / "base" / "ssd.yaml"


def test_the_momentum_is_what_the_warm_up_of_the_public_code_leaves() -> None:
    made = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["optimizer"]
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=made["lr"], momentum=0.9)
    warmup = torch.optim.lr_scheduler.CyclicLR(sgd, 0.01, made["lr"], step_size_up=10)
    for _ in range(10):
        sgd.step()
        warmup.step()
    assert abs(sgd.param_groups[0]["momentum"] - made["momentum"]) < 1e-9

"""Networks of timm as adframe backbones."""

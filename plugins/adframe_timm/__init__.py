"""Networks of timm (Wightman), by name."""

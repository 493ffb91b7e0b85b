"""Image files as pixels: decoding, caching, loading on demand."""

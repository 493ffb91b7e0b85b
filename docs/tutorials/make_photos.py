"""Writes 200 small photographs: photos/good (100 faces) and photos/other (100 without a face)."""

from pathlib import Path

from PIL import Image
from skimage.data import lfw_subset

pictures = (lfw_subset() * 255).round().astype("uint8")  # (200, 25, 25); the faces come first
for index, picture in enumerate(pictures):
    folder = Path("photos", "good" if index < 100 else "other")
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"{index:03d}.png")

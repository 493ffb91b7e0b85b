"""Registers the components of adframe_datasets."""

from adframe import Add, hookimpl

DATASETS = {
    "lfw_faces": ".lfw:LFWFaces",
    "image_folder": ".folder:ImageFolder",
    "image_table": ".table:ImageTable",
    "cifar10": ".thumbnails:CIFAR10",
    "cifar100": ".thumbnails:CIFAR100",
    "svhn": ".thumbnails:SVHN",
    "dtd": ".photos:DTD",
    "flowers102": ".photos:Flowers102",
    "food101": ".photos:Food101",
    "oxford_pets": ".photos:OxfordPets",
    "places365": ".photos:Places365",
    "caltech256": ".layouts:Caltech256",
    "cub200": ".layouts:CUB200",
    "imagenet30": ".layouts:ImageNet30",
    "stanford_dogs": ".layouts:StanfordDogs",
    "lsun_resize": ".unlabelled:LSUNResize",
    "imagenet_resize": ".unlabelled:ImageNetResize",
    "lsun_fix": ".unlabelled:LSUNFix",
    "imagenet_fix": ".unlabelled:ImageNetFix",
    "mvtec": ".industrial:MVTec",
    "visa": ".industrial:VisA",
    "interpolated": ".interpolated:Interpolated",
}


@hookimpl
def adframe_register(add: Add) -> None:
    for name, target in DATASETS.items():
        add("dataset", name, target)

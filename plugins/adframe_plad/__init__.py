"""PLAD (Cai & Fan, NeurIPS 2022): a classifier of images and of learned perturbations of them."""

"""AnoGAN (Schlegl et al., IPMI 2017): a DCGAN, and its search of the latent code of an image."""

"""Contrastive training: the method that turns batches into views, stages and loss terms."""

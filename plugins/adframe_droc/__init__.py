"""DROC (Sohn et al., ICLR 2021): its augmentation and its contrastive loss."""

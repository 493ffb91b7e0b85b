"""CutPaste (Li et al., CVPR 2021): local irregularities made from the image itself."""

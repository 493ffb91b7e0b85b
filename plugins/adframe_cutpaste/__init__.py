"""CutPaste (Li et al., CVPR 2021): its two shifts, which make local irregularities."""

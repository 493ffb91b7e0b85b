"""The idea of Con2 (Ryser et al., TMLR): contexts that are contrasted and aligned."""

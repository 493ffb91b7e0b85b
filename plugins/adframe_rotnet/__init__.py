"""RotNet with translations (Hendrycks et al., NeurIPS 2019): its loss."""

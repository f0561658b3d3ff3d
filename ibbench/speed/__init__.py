"""How fast the models train and predict, beside the same architectures out of PyTorch Geometric's parts."""

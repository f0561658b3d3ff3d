"""What probes share: the model that is looked at, its gradients, kernels, classes of molecules, and all their rows."""

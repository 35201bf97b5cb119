"""Networks: parameters in a dictionary, and a loss with its gradients."""

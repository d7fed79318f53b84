"""PyTorch with ``torch.compile``: loss, gradients and update of a minibatch in one graph.

``loss.backward()`` would split the graph; ``torch.func`` keeps it whole.
"""

from peers import LEARNING_RATE
from peers.pytorch import prepare_with


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    import torch
    from torch.nn.functional import cross_entropy, linear

    def loss(params, x, y):
        W, b = params
        return cross_entropy(linear(x, W, b), y)

    @torch.compile(fullgraph=True)
    def update(W, b, x, y):
        gradients, value = torch.func.grad_and_value(loss)((W, b), x, y)
        for param, gradient in zip((W, b), gradients):
            param.sub_(gradient, alpha=LEARNING_RATE)
        return value

    return prepare_with(update, datasets, batch_size, device, requires_grad=False)

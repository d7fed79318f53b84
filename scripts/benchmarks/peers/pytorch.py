"""PyTorch as usual: tensors on the device, autograd, an update in place; no DataLoader."""

import numpy as np

from peers import LEARNING_RATE, Unavailable, check_loss, sizes, whole_minibatches


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    import torch
    from torch.nn.functional import cross_entropy, linear

    def update(W, b, x, y):
        loss = cross_entropy(linear(x, W, b), y)
        loss.backward()
        with torch.no_grad():
            for param in (W, b):
                param.sub_(param.grad, alpha=LEARNING_RATE)
                param.grad = None
        return loss.detach()

    return prepare_with(update, datasets, batch_size, device, requires_grad=True)


def prepare_with(update, datasets, batch_size, device, requires_grad):
    """Prepare any ``update(W, b, x, y)`` that changes W and b and returns the loss."""
    import torch
    from torch.nn.functional import linear

    if device == "gpu" and not torch.cuda.is_available():
        raise Unavailable("PyTorch found no GPU")
    where = "cuda" if device == "gpu" else "cpu"
    train_set, valid_set = datasets
    n_in, n_out = sizes(train_set)
    batches_x, batches_y = _tensors(whole_minibatches(train_set, batch_size), where)
    valid_x, valid_y = _tensors(valid_set, where)
    W = torch.zeros(n_out, n_in, device=where, requires_grad=requires_grad)
    b = torch.zeros(n_out, device=where, requires_grad=requires_grad)

    def epoch():
        total = torch.zeros((), device=where)
        for x, y in zip(batches_x, batches_y):
            total += update(W, b, x, y)
        with torch.no_grad():
            n_errors = (linear(valid_x, W, b).argmax(dim=1) != valid_y).sum().item()
        check_loss(total.item())
        return n_errors

    return epoch


def _tensors(pair, where):
    """Return x and y as tensors on the device."""
    import torch

    return [torch.from_numpy(np.ascontiguousarray(array)).to(where) for array in pair]

"""`dlt`: the Theano deep-learning tutorial, "Getting Started", as a library.

``from dlt import theano, T`` gives the engine (PyTensor, Theano's continuation, or classic
Theano) under the names the page uses; the names below are the page's concepts, one module
each. Importing `dlt` itself loads no engine and reads nothing: each name, and each module
(``dlt.engine``), is loaded when it is first used.

Examples
--------
>>> import dlt
>>> dlt.Patience().patience
5000
"""

import importlib
import importlib.util

__version__ = "0.1.0"

# name -> module; the order is the page's
_EXPORTS = {
    "theano": "engine",
    "T": "engine",
    "set_floatX": "engine",
    "set_linker": "engine",
    "set_device": "engine",
    "DltError": "errors",
    "DataError": "errors",
    "SettingsError": "errors",
    "FetchError": "errors",
    "EngineError": "errors",
    "load_data": "datasets",
    "fetch_mnist": "fetching",
    "shared_dataset": "shared",
    "shared_datasets": "shared",
    "n_minibatches": "shared",
    "minibatch": "shared",
    "negative_log_likelihood": "losses",
    "zero_one_loss": "losses",
    "gradient_updates": "sgd",
    "gradient_descent": "sgd",
    "stochastic_gradient_descent": "sgd",
    "minibatch_gradient_descent": "sgd",
    "minibatch_step": "sgd",
    "minibatch_stretch": "sgd",
    "l1": "regularization",
    "l2_sqr": "regularization",
    "regularized_loss": "regularization",
    "Patience": "early_stopping",
    "LogisticRegression": "models",
    "Score": "evaluation",
    "error_counter": "evaluation",
    "train": "training",
    "TrainingResult": "results",
    "get_values": "parameters",
    "set_values": "parameters",
    "save_params": "parameters",
    "load_params": "parameters",
    "read_params": "parameters",
    "Checkpoint": "checkpoint",
    "read_checkpoint": "checkpoint",
    "write_checkpoint": "checkpoint",
    "StopOnSignal": "stopping",
    "Predictor": "prediction",
    "HistoryRow": "history",
    "write_history": "history",
    "read_history": "history",
    "visualize": "visualization",
    "read_picture": "images",
    "plot_digits": "plotting",
    "plot_weights": "plotting",
    "plot_learning_curves": "plotting",
    "plot_confusion_matrix": "plotting",
    "plot_mistakes": "plotting",
    "tile_images": "plotting",
    "animate_weights": "plotting",
    "save_figure": "plotting",
    "save_animation": "plotting",
    "export_page": "drawing_page",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    if name in _EXPORTS:
        value = getattr(importlib.import_module("dlt." + _EXPORTS[name]), name)
        globals()[name] = value  # the next use finds it without coming here
        return value
    if importlib.util.find_spec("dlt." + name):
        return importlib.import_module("dlt." + name)
    raise AttributeError("module 'dlt' has no attribute {!r}".format(name))


def __dir__():
    return sorted(set(globals()) | set(__all__))

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
    "DataSet": "shared",
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
    "Score": "score",
    "error_counter": "evaluation",
    "Trainer": "trainer",
    "train": "trainer",
    "Shuffled": "order",
    "RunFolder": "runs.folder",
    "TrainingResult": "results",
    "get_values": "parameters",
    "set_values": "parameters",
    "save_params": "parameters",
    "load_params": "parameters",
    "read_params": "parameters",
    "Checkpoint": "runs.checkpoint",
    "read_checkpoint": "runs.checkpoint",
    "write_checkpoint": "runs.checkpoint",
    "StopOnSignal": "runs.signals",
    "Predictor": "prediction",
    "load_model": "prediction",
    "HistoryRow": "runs.history",
    "write_history": "runs.history",
    "read_history": "runs.history",
    "visualize": "pictures.run",
    "read_picture": "pictures.reading",
    "plot_digits": "pictures.digits",
    "plot_weights": "pictures.digits",
    "plot_learning_curves": "pictures.curves",
    "plot_confusion_matrix": "pictures.confusion",
    "plot_mistakes": "pictures.digits",
    "tile_images": "pictures.tiles",
    "animate_weights": "pictures.tiles",
    "save_figure": "pictures.figures",
    "save_animation": "pictures.tiles",
    "export_page": "pictures.page",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    if name in _EXPORTS:
        value = getattr(importlib.import_module("dlt." + _EXPORTS[name]), name)
        globals()[name] = value  # the next use finds it without coming here
        return value
    if importlib.util.find_spec("dlt." + name):
        return importlib.import_module("dlt." + name)
    raise AttributeError(f"module 'dlt' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))

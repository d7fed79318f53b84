"""`dlt`: the Theano deep-learning tutorial, "Getting Started", as a library.

``from dlt import theano, T`` imports the engine (classic Theano, or PyTensor, its successor) under
the names that the page uses. The other names are the page's concepts, with a module for each.
Importing `dlt` loads no engine and reads no file: each name, and each module such as
``dlt.engine``, is loaded when it is first used.

Examples
--------
>>> import dlt
>>> dlt.Patience().patience
5000
"""

import importlib
import importlib.util

__version__ = "0.1.0"

# name -> module, in the order of the page
_EXPORTS = {
    name: module
    for module, names in {
        "engine": "theano T set_floatX set_linker set_device",
        "errors": "DltError DataError SettingsError FetchError EngineError",
        "datasets": "load_data",
        "stored": "save_data",
        "chunks": "ChunkedDataSet open_data",
        "fetching": "fetch_mnist",
        "shared": "DataSet shared_dataset shared_datasets n_minibatches minibatch "
        "default_batch_size",
        "losses": "negative_log_likelihood zero_one_loss",
        "sgd": "gradient_updates gradient_descent stochastic_gradient_descent "
        "minibatch_gradient_descent minibatch_step minibatch_stretch",
        "regularization": "l1 l2_sqr regularized_loss",
        "early_stopping": "Patience",
        "models": "LogisticRegression",
        "score": "Score",
        "significance": "mcnemar wilson",
        "evaluation": "error_counter",
        "trainer": "Trainer train",
        "selection.search": "select",
        "selection.result": "Selection",
        "selection.candidates": "grid",
        "selection.processes": "ProcessPool",
        "order": "Shuffled",
        "runs.folder": "RunFolder",
        "results": "TrainingResult",
        "parameters": "get_values set_values save_params load_params read_params",
        "runs.checkpoint": "Checkpoint read_checkpoint write_checkpoint",
        "runs.signals": "StopOnSignal",
        "prediction": "Predictor load_model",
        "runs.history": "History HistoryRow write_history read_history",
        "pictures.run": "visualize",
        "pictures.reading": "read_picture",
        "pictures.digits": "plot_digits plot_weights plot_mistakes",
        "pictures.curves": "plot_learning_curves",
        "pictures.confusion": "plot_confusion_matrix",
        "pictures.selection": "plot_selection",
        "pictures.tiles": "tile_images animate_weights save_animation",
        "pictures.figures": "save_figure",
        "pictures.page": "export_page",
    }.items()
    for name in names.split()
}

__all__ = sorted(_EXPORTS)

TYPE_CHECKING = False  # True for type checkers; importing typing takes longer than importing dlt
if TYPE_CHECKING:
    from dlt import (  # noqa: F401, I001
        answers, arrays, checks, chunks, commandline, datasets, describing, early_stopping, engine,
        errors, estimator, evaluation, examples, fetching, files, fingerprint, formats, losses,
        models, order, parameters, pictures, prediction, preparing, program, progress,
        regularization, results, runs, score, selection, sgd, shared, significance, splitting,
        stored, trainer, training,
    )  # fmt: skip
    from dlt.chunks import ChunkedDataSet as ChunkedDataSet
    from dlt.chunks import open_data as open_data
    from dlt.datasets import load_data as load_data
    from dlt.early_stopping import Patience as Patience
    from dlt.engine import T as T
    from dlt.engine import set_device as set_device
    from dlt.engine import set_floatX as set_floatX
    from dlt.engine import set_linker as set_linker
    from dlt.engine import theano as theano
    from dlt.errors import DataError as DataError
    from dlt.errors import DltError as DltError
    from dlt.errors import EngineError as EngineError
    from dlt.errors import FetchError as FetchError
    from dlt.errors import SettingsError as SettingsError
    from dlt.evaluation import error_counter as error_counter
    from dlt.fetching import fetch_mnist as fetch_mnist
    from dlt.losses import negative_log_likelihood as negative_log_likelihood
    from dlt.losses import zero_one_loss as zero_one_loss
    from dlt.models import LogisticRegression as LogisticRegression
    from dlt.order import Shuffled as Shuffled
    from dlt.parameters import get_values as get_values
    from dlt.parameters import load_params as load_params
    from dlt.parameters import read_params as read_params
    from dlt.parameters import save_params as save_params
    from dlt.parameters import set_values as set_values
    from dlt.pictures.confusion import plot_confusion_matrix as plot_confusion_matrix
    from dlt.pictures.curves import plot_learning_curves as plot_learning_curves
    from dlt.pictures.digits import plot_digits as plot_digits
    from dlt.pictures.digits import plot_mistakes as plot_mistakes
    from dlt.pictures.digits import plot_weights as plot_weights
    from dlt.pictures.figures import save_figure as save_figure
    from dlt.pictures.page import export_page as export_page
    from dlt.pictures.reading import read_picture as read_picture
    from dlt.pictures.run import visualize as visualize
    from dlt.pictures.selection import plot_selection as plot_selection
    from dlt.pictures.tiles import animate_weights as animate_weights
    from dlt.pictures.tiles import save_animation as save_animation
    from dlt.pictures.tiles import tile_images as tile_images
    from dlt.prediction import Predictor as Predictor
    from dlt.prediction import load_model as load_model
    from dlt.regularization import l1 as l1
    from dlt.regularization import l2_sqr as l2_sqr
    from dlt.regularization import regularized_loss as regularized_loss
    from dlt.results import TrainingResult as TrainingResult
    from dlt.runs.checkpoint import Checkpoint as Checkpoint
    from dlt.runs.checkpoint import read_checkpoint as read_checkpoint
    from dlt.runs.checkpoint import write_checkpoint as write_checkpoint
    from dlt.runs.folder import RunFolder as RunFolder
    from dlt.runs.history import History as History
    from dlt.runs.history import HistoryRow as HistoryRow
    from dlt.runs.history import read_history as read_history
    from dlt.runs.history import write_history as write_history
    from dlt.runs.signals import StopOnSignal as StopOnSignal
    from dlt.score import Score as Score
    from dlt.selection.candidates import grid as grid
    from dlt.selection.processes import ProcessPool as ProcessPool
    from dlt.selection.result import Selection as Selection
    from dlt.selection.search import select as select
    from dlt.sgd import gradient_descent as gradient_descent
    from dlt.sgd import gradient_updates as gradient_updates
    from dlt.sgd import minibatch_gradient_descent as minibatch_gradient_descent
    from dlt.sgd import minibatch_step as minibatch_step
    from dlt.sgd import minibatch_stretch as minibatch_stretch
    from dlt.sgd import stochastic_gradient_descent as stochastic_gradient_descent
    from dlt.shared import DataSet as DataSet
    from dlt.shared import default_batch_size as default_batch_size
    from dlt.shared import minibatch as minibatch
    from dlt.shared import n_minibatches as n_minibatches
    from dlt.shared import shared_dataset as shared_dataset
    from dlt.shared import shared_datasets as shared_datasets
    from dlt.significance import mcnemar as mcnemar
    from dlt.significance import wilson as wilson
    from dlt.stored import save_data as save_data
    from dlt.trainer import Trainer as Trainer
    from dlt.trainer import train as train
else:

    def __getattr__(name):
        if name in _EXPORTS:
            value = getattr(importlib.import_module("dlt." + _EXPORTS[name]), name)
            globals()[name] = value  # so that Python does not ask again
            return value
        if importlib.util.find_spec("dlt." + name):
            return importlib.import_module("dlt." + name)
        raise AttributeError(f"module 'dlt' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))

"""Registers the observers."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("observer", "early_stopping", ".early_stopping:EarlyStopping")
    add("observer", "learning_rate_finder", ".learning_rate_finder:LearningRateFinder")
    add("observer", "text_log", ".text_log:TextLog")
    add("observer", "tensorboard", ".tensorboard:TensorBoard")
    add("observer", "mlflow", ".mlflow:MLflow")
    add("observer", "wandb", ".wandb:WandB")

"""What other libraries and guides call our hyperparameters and losses, for hints beside errors."""

from __future__ import annotations

_HYPERPARAMS = {
    "lr": "learning_rate",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch_size",
    "mini_batch_size": "micro_batch_size",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "scheduler": "learning_rate_scheduler",
    "lr_scheduler_type": "learning_rate_scheduler",
    "scale": "loss_scale",
    "temperature": "loss_scale",
    "max_length": "max_seq_length",
    "patience": "early_stopping",
    "evaluation_steps": "eval_steps",
    "save_steps": "checkpoint_save_steps",
    "save_total_limit": "checkpoint_save_total_limit",
    "query_instruction": "instruction",
    "gradient_accumulation_steps": "batch_size",
}
# Without underscores, dashes and the ending "loss", in lower case.
_LOSSES = {
    "mnrl": "contrastive",
    "cachedmnrl": "contrastive",
    "multiplenegativesranking": "contrastive",
    "cachedmultiplenegativesranking": "contrastive",
    "infonce": "contrastive",
    "supcon": "contrastive",
    "gistembed": "contrastive",
    "batchhardtriplet": "triplet",
    "tripletmargin": "triplet",
    "proxyanchor": "proxy",
    "cosinesimilarity": "cosine",
    "softmax": "prediction",
    "crossentropy": "prediction",
    "head": "prediction",
    "mse": "prediction",
}


def hyperparam_called(name: str) -> str | None:
    """Return our name of a hyperparameter that is called *name* elsewhere."""
    return _HYPERPARAMS.get(name.lower())


def loss_called(name: str) -> str | None:
    """Return our name of a loss that is called *name* elsewhere."""
    bare = name.lower().replace("_", "").replace("-", "").removesuffix("loss")
    ours = ("prediction", "contrastive", "triplet", "proxy", "cosent", "cosine", "angle")
    return bare if bare in ours else _LOSSES.get(bare)

"""Training in the reader's page: a small set, the method in JavaScript, no server, no network."""

from celsa_lib.inpage.page import training_page, worker_source
from celsa_lib.inpage.setting import page_numbers, small_training

__all__ = ["page_numbers", "small_training", "training_page", "worker_source"]

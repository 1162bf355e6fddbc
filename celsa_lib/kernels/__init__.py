"""Compiled loops on a CPU, for training and retrieval alike."""

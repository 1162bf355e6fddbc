"""Segment names from answers that were kept: no network and no key."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from celsa_lib.segments.naming.answers import Answer, AnswerCache
from celsa_lib.segments.naming.describer import Describer, Label
from celsa_lib.segments.naming.prompt import answer_key, group_messages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplayDescriber:
    """Names groups from `cache`, whoever gave the answers; `fallback` names what is not in it.

    A person can give answers too: `cache.add(answer_key(who, message), who, name)` with `who`
    "written by hand" and the message of a group from `group_messages`.
    """

    cache: AnswerCache
    fallback: Describer

    def describe(self, groups: Sequence[np.ndarray], items: pd.DataFrame) -> list[Label]:
        """A label for each group of positions in `items`; its source says who, and "(stored)"."""
        answers = [self._find(message) for message in group_messages(groups, items)]
        log.info("%d of %d names are stored", sum(map(bool, answers)), len(answers))
        return labels_from(answers, groups, items, self.fallback, note=" (stored)")

    def _find(self, message: str) -> Answer | None:
        """The first answer to `message` in the order of the cache's models; names come first."""
        found = [self.cache.get(answer_key(model, message)) for model in self.cache.models]
        return max(filter(None, found), key=lambda answer: bool(answer.label), default=None)


def labels_from(
    answers: Sequence[Answer | None],
    groups: Sequence[np.ndarray],
    items: pd.DataFrame,
    fallback: Describer,
    note: str = "",
) -> list[Label]:
    """The answers as labels; where there is none or it was refused, the fallback's label."""
    left = [place for place, answer in enumerate(answers) if not (answer and answer.label)]
    instead = fallback.describe([groups[place] for place in left], items) if left else []
    labels = [answer and Label(answer.label, answer.model + note) for answer in answers]
    for place, label in zip(left, instead, strict=True):
        refused = answers[place]
        why = f" (answer of {refused.model} refused)" if refused else ""
        labels[place] = Label(label.text, label.source + why)
    return labels

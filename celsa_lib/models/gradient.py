"""What models trained by gradient share."""

from scipy.sparse import csr_matrix

from celsa_lib.models.base import EmbeddingRecommender
from celsa_lib.training import TrainingOptions


class GradientRecommender(EmbeddingRecommender):
    """An EmbeddingRecommender with the parameters of `TrainingOptions`, and `callbacks`.

    After fitting: history_ (a dict per epoch), precision_ and backend_ as resolved: backends in the
    order in which stages took them, e.g. "dense, sparse"; only dense products are ever rounded.
    """

    def check_parameters(self) -> None:
        """See Recommender."""
        TrainingOptions.of(self)

    def _keep(self, rows: csr_matrix, history: list[dict]) -> None:
        """Keep trained rows (items × width), the history, and how its epochs were computed."""
        self._keep_rows(rows)
        self.history_ = history
        backends = list(dict.fromkeys(entry["backend"] for entry in history))
        self.backend_ = ", ".join(backends)
        self.precision_ = self.precision if "dense" in backends else "float32"

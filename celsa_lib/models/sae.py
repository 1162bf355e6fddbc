"""ELSA + sparse autoencoder: compression after training (CompresSAE)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional
from tqdm import tqdm

from celsa_lib.errors import ConfigError, check_count, check_positive
from celsa_lib.models.elsa import ELSA
from celsa_lib.models.gradient import NOT_RESOLVED, GradientRecommender
from celsa_lib.models.recipes import batch_that_fits
from celsa_lib.training import (
    TrainingOptions,
    resolve_device,
    sparsify_rows,
    top_k_columns,
    unit_rows,
)
from celsa_lib.training.memory import check_fits, shortage_named
from celsa_lib.training.options import MOST_EPOCHS

AUXILIARY_WEIGHT = 1 / 8  # of the term with more nonzeros
ITEMS_PER_BATCH = 1024


@dataclass(eq=False, repr=False)
class SparseAutoencoderELSA(GradientRecommender):
    """Sparse codes of a dense ELSA's rows a: z = S_k(W_e·a/‖a‖ + b), â = W_d·z.

    Loss: cos-distance(a, â at k) + cos-distance(a, â at 4k)/8; W_d (code_width × width) has unit
    rows and a gradient orthogonal to them. The codes, rows renormalised, replace A. Size: 8·nnz
    bytes per item. `wider`: nonzeros of the second term of the loss, in multiples of nnz (by a slip
    the released code has 1). `width`, `epochs` and what TrainingOptions has are of the dense ELSA;
    cosine_decay and weight_averaging of both. recipe "recommended": as for ELSA, and batches of the
    autoencoder that give an epoch ten steps. Raises ConfigError.
    """

    name = "ELSA + SAE"

    width: int = 1024
    code_width: int = 4096
    nnz: int = 16
    epochs: int | None = None
    sae_epochs: int = 100
    sae_learning_rate: float = 1e-3
    wider: int = 4

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        check_count(width=self.width, code_width=self.code_width, nnz=self.nnz)
        if self.epochs is not None:
            check_count(most=MOST_EPOCHS, epochs=self.epochs)
        check_count(most=MOST_EPOCHS, sae_epochs=self.sae_epochs)
        check_count(wider=self.wider)
        check_positive(sae_learning_rate=self.sae_learning_rate)
        if self.nnz > self.code_width:
            raise ConfigError(f"nnz {self.nnz} is more than code_width {self.code_width}")
        if self.backend == "sharded":
            raise ConfigError(
                'the autoencoder trains on all rows at once, and with backend "sharded" no process '
                'has them; leave it "auto"'
            )

    def elsa(self) -> ELSA:
        """The dense ELSA, not fitted, that this one compresses."""
        own = self.get_params()
        return ELSA(**{name: own[name] for name in ELSA().get_params() if name in own})

    @classmethod
    def from_elsa(
        cls,
        elsa: ELSA,
        code_width: int = 4096,
        nnz: int = 16,
        sae_epochs: int = 100,
        sae_learning_rate: float = 1e-3,
        wider: int = 4,
    ) -> "SparseAutoencoderELSA":
        """A fitted dense ELSA compressed; the other parameters are its own.

        Raises ConfigError, NotFittedError.
        """
        if not isinstance(elsa, ELSA):
            raise ConfigError(f"a fitted ELSA is compressed, got {type(elsa).__name__}")
        known = cls().get_params()
        taken = {name: v for name, v in elsa.get_params().items() if name in known}
        model = cls(
            **taken,
            code_width=code_width,
            nnz=nnz,
            sae_epochs=sae_epochs,
            sae_learning_rate=sae_learning_rate,
            wider=wider,
        )
        model._check_fits(elsa.item_embeddings.matrix.shape[0])
        with shortage_named(resolve_device(model.device)):
            model._compress(elsa)
        return model

    def _fit(self, X: csr_matrix) -> None:
        self._check_fits(X.shape[1])
        self._compress(self.elsa().fit(X, self.item_ids_))

    def _check_fits(self, n_items: int) -> None:
        """Raise ConfigError where codes of the items, or the decoder, are too large."""
        rows = max(n_items, self.width)
        check_fits(rows, resolve_device(self.device), code_width=self.code_width)

    def _compress(self, elsa: ELSA) -> None:
        rows = torch.from_numpy(elsa.item_embeddings.matrix.toarray())
        own = {name: v for name, v in self.get_params().items() if name not in NOT_RESOLVED}
        self.resolved_ = {name: elsa.resolved_.get(name, v) for name, v in own.items()}
        codes, history = self._train(rows.to(resolve_device(self.device)))
        self.item_ids_, self.n_items_ = elsa.item_ids_, elsa.n_items_
        self._keep_rows(csr_matrix(codes.cpu().numpy()))
        self.history_ = history
        self.backend_, self.precision_ = elsa.backend_, elsa.precision_

    def _train(self, rows: torch.Tensor) -> tuple[torch.Tensor, list[dict]]:
        """(unit sparse codes, items × code_width; loss per epoch) of rows, items × width."""
        generator = torch.Generator().manual_seed(self.seed)
        decoder = torch.randn(self.code_width, rows.shape[1], generator=generator)
        decoder = unit_rows(decoder).to(rows.device).requires_grad_()
        encoder = decoder.detach().clone().requires_grad_()  # tied at the start, free afterwards
        bias = torch.zeros(self.code_width, device=rows.device, requires_grad=True)
        optimizer = torch.optim.Adam([encoder, decoder, bias], lr=self.sae_learning_rate)
        mean = encoder.detach().clone(), bias.detach().clone()
        rng = np.random.default_rng(self.seed)
        size, rates = self._rates(len(rows))
        history = []
        for of_steps in tqdm(rates, unit="epoch", disable=not self.progress, leave=False):
            order = torch.from_numpy(rng.permutation(len(rows))).to(rows.device)
            losses = []
            for items, (rate, of_mean) in zip(order.split(size), of_steps.tolist(), strict=True):
                optimizer.param_groups[0]["lr"] = rate
                losses.append(self._step(rows[items], encoder, decoder, bias, optimizer))
                if of_mean:
                    mean[0].lerp_(encoder.detach(), of_mean)
                    mean[1].lerp_(bias.detach(), of_mean)
            history.append({"nnz": self.nnz, "loss": float(torch.stack(losses).mean())})
        weights, offset = mean if rates[..., 1].any() else (encoder.detach(), bias.detach())
        return sparsify_rows(rows @ weights.T + offset, self.nnz), history

    def _rates(self, n_items: int) -> tuple[int, np.ndarray]:
        """Items of a batch; rate and weight of the mean of each step, epochs × steps × 2."""
        # What the recommended setting and this one have in common: the ELSA has input dropout, long
        # histories more often, cosine decay and weight averaging; the autoencoder the last two, and
        # batches that give an epoch ten steps. It has no dropout: it codes the very rows that it
        # learns from, so there are none that it could fail on.
        size = batch_that_fits(n_items) if self.recipe == "recommended" else ITEMS_PER_BATCH
        shared = {name: self.resolved_[name] for name in ("cosine_decay", "weight_averaging")}
        steps = -(-n_items // size)
        rates = TrainingOptions(learning_rate=self.sae_learning_rate, **shared).rates(
            steps * self.sae_epochs
        )
        return size, rates.reshape(self.sae_epochs, steps, 2)

    def _step(self, batch, encoder, decoder, bias, optimizer) -> torch.Tensor:
        """One step on a batch of unit rows (items × width); the loss."""
        optimizer.zero_grad(set_to_none=True)
        hidden = batch @ encoder.T + bias
        loss = self._distance(batch, hidden, self.nnz, decoder)
        wider = min(self.wider * self.nnz, self.code_width)
        loss = loss + AUXILIARY_WEIGHT * self._distance(batch, hidden, wider, decoder)
        loss.backward()
        with torch.no_grad():  # stay on the sphere: step along it, then return to it
            along = (decoder.grad * decoder).sum(dim=1, keepdim=True)
            decoder.grad -= along * decoder
            optimizer.step()
            decoder.copy_(unit_rows(decoder))
        return loss.detach()

    @staticmethod
    def _distance(batch, hidden, nnz, decoder) -> torch.Tensor:
        """Mean of 1 − cos(a, W_d·S_nnz(hidden)); only the rows of W_d that are used are read."""
        kept = top_k_columns(hidden, nnz)
        values = hidden.gather(1, kept)
        decoded = functional.embedding_bag(kept, decoder, per_sample_weights=values, mode="sum")
        return (1 - functional.cosine_similarity(batch, decoded, dim=1)).mean()

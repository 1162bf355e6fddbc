"""NAdam on the rows of A, in place, with a state that can be stored."""

from dataclasses import dataclass

import numpy as np
import torch

from celsa_lib.kernels.rows import nadam_update

BETA1, BETA2, DECAY = 0.9, 0.999, 0.004


@dataclass
class Nadam:
    """Dozat's NAdam as in Keras and torch: μ_t = β₁(1 − 0.96^(0.004·t)/2), no weight decay.

    `m`, `v` have the shape of the values; `steps` made so far; `product` is μ_1·…·μ_t.
    """

    m: torch.Tensor
    v: torch.Tensor
    steps: int = 0
    product: float = 1.0

    @classmethod
    def start(cls, values: torch.Tensor) -> "Nadam":
        """A new state for `values`."""
        return cls(torch.zeros_like(values), torch.zeros_like(values))

    def step(self, values: torch.Tensor, gradient: torch.Tensor, lr: float, epsilon: float) -> None:
        """Change `values` by one step; all of the same shape, on one device."""
        if values.device.type != "cpu":
            self.formula(values, gradient, lr, epsilon)
        else:
            _apply(self.scalars(lr), epsilon, values, gradient, self.m, self.v)

    def step_with_scales(self, values, gradient, scales, slopes, lr: float, epsilon: float) -> None:
        """The same on a CPU, and of log s and log w by `slopes`; see Rows for `scales`."""
        scalars = self.scalars(lr)
        _apply(scalars, epsilon, values, gradient, self.m, self.v)
        _apply(scalars, epsilon, scales[:2], slopes, scales[2:4], scales[4:])

    def formula(self, values: torch.Tensor, gradient: torch.Tensor, lr: float, epsilon: float):
        """The same step in torch, for any device."""
        bias2, of_gradient, of_momentum = self.scalars(lr)
        self.m.lerp_(gradient, 1 - BETA1)
        self.v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        root = (self.v / bias2).sqrt_().add_(epsilon)
        values.addcdiv_(gradient, root, value=-of_gradient)
        values.addcdiv_(self.m, root, value=-of_momentum)

    def scalars(self, lr: float) -> tuple[float, float, float]:
        """Count a step: (bias of v, weight of the gradient, weight of m)."""
        self.steps += 1
        now, following = _momentum(self.steps), _momentum(self.steps + 1)
        self.product *= now
        of_gradient = lr * (1 - now) / (1 - self.product)
        of_momentum = lr * following / (1 - self.product * following)
        return 1 - BETA2**self.steps, of_gradient, of_momentum


def _apply(scalars, epsilon: float, *tensors: torch.Tensor) -> None:
    """One step of values by their gradient, with m and v, on a CPU."""
    arrays = [tensor.view(-1).numpy() for tensor in tensors]
    nadam_update(*arrays, *map(np.float32, (BETA1, BETA2, *scalars, epsilon)))


def _momentum(step: int) -> float:
    return BETA1 * (1 - 0.5 * 0.96 ** (step * DECAY))

"""Every method: its class, and all that configurations, tables and figures say of it.

A new baseline is one class and one entry here. Nothing heavy is imported until `Method.load`.
"""

from dataclasses import dataclass
from importlib import import_module

from celsa_lib.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """One method of tables and figures.

    name: key in configurations and rows: the class name; "Released" has no class. location: its
    module and class; "" if it is not trained here. compressed: a family with a budget (a line in
    figures), else a single model (a mark). size: the parameter that decides its bytes per item and
    the bytes per unit of it. trained: by gradient: it has seeds, learning_rate, precision, backend.
    colour: of Okabe and Ito (2008), told apart by colour-blind readers. marker: Matplotlib's.
    """

    name: str
    label: str
    location: str
    compressed: bool
    size: tuple[str, int] | None
    trained: bool
    colour: str
    marker: str

    def load(self) -> type:
        """The class. Raises ConfigError for a method that is not trained here."""
        if not self.location:
            raise ConfigError(f"{self.label} come with the data and have no class to fit")
        module, name = self.location.split(":")
        return getattr(import_module(module), name)


MODELS = "celsa_lib.models"
DENSE, SPARSE = ("width", 4), ("nnz", 8)  # a float32; a float32 and its column

# In the order of tables and legends. Dense and low-dimensional ELSA are one class, so `by_name`
# finds the first of the two.
METHODS = (
    Method("CompressedELSA", "Compressed ELSA", f"{MODELS}.compressed:CompressedELSA",
           compressed=True, size=SPARSE, trained=True, colour="#D55E00", marker="o"),
    Method("ELSA", "ELSA", f"{MODELS}.elsa:ELSA",
           compressed=False, size=DENSE, trained=True, colour="#000000", marker="*"),
    Method("PrunedEASE", "Pruned EASE", f"{MODELS}.ease:PrunedEASE",
           compressed=True, size=SPARSE, trained=False, colour="#009E73", marker="^"),
    Method("ELSA", "Low-dim ELSA", f"{MODELS}.elsa:ELSA",
           compressed=True, size=DENSE, trained=True, colour="#0072B2", marker="s"),
    Method("SparseAutoencoderELSA", "ELSA + SAE", f"{MODELS}.sae:SparseAutoencoderELSA",
           compressed=True, size=SPARSE, trained=True, colour="#CC79A7", marker="D"),
    Method("EASE", "EASE", f"{MODELS}.ease:EASE",
           compressed=False, size=None, trained=False, colour="#56B4E9", marker="P"),
    Method("Popularity", "Popularity", f"{MODELS}.popularity:Popularity",
           compressed=False, size=None, trained=False, colour="#999999", marker="X"),
    Method("Released", "Released embeddings", "",
           compressed=False, size=None, trained=False, colour="#E69F00", marker="v"),
)  # fmt: skip


def by_name(name: str) -> Method:
    """The first method of that name. Raises ConfigError naming what there is."""
    return _found("name", name)


def by_label(label: str) -> Method:
    """The method of that label. Raises ConfigError naming what there is."""
    return _found("label", label)


def _found(field: str, value: str) -> Method:
    for method in METHODS:
        if getattr(method, field) == value:
            return method
    known = ", ".join(dict.fromkeys(getattr(method, field) for method in METHODS))
    raise ConfigError(f'unknown method "{value}"; choose one of {known}')

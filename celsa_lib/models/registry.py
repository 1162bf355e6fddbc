"""Every method in one place: what configurations, tables and figures say of it.

A new baseline is a class and an entry here. Importing this needs no class and no torch.
"""

from dataclasses import dataclass
from importlib import import_module

from celsa_lib.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """One method of Table 1 or beside it.

    name: in configurations and rows, that of its class. location: "module:class", "" for embeddings
    that come with the data. size: what a budget decides, and its bytes, for families that have a
    model at every budget; None for a single model. trained: by gradient, so that it has a seed, a
    learning rate, a precision and a backend. recipe: the one that it is trained by. colour (Okabe
    and Ito 2008) and marker: in figures.
    """

    name: str
    label: str
    location: str
    colour: str
    marker: str
    size: tuple[str, int] | None = None
    trained: bool = False
    recipe: str = "paper"

    @property
    def compressed(self) -> bool:
        """Whether it is a family with a model at every budget: a line in figures, not a mark."""
        return self.size is not None

    def load(self) -> type:
        """Its class. Raises ConfigError where there is none to fit."""
        if not self.location:
            raise ConfigError(f"{self.label} come with the data and cannot be fitted")
        module, _, name = self.location.partition(":")
        return getattr(import_module(module), name)

    def make(self, **parameters):
        """Its model, not fitted. Raises ConfigError for a parameter that it does not have."""
        cls = self.load()
        known = cls().get_params()
        unknown = sorted(parameters.keys() - known.keys())
        if unknown:
            raise ConfigError(
                f"{self.label} has no parameter {', '.join(unknown)}; it has {', '.join(known)}"
            )
        return cls(**parameters)

    def at(self, budget_bytes: int) -> dict[str, int]:
        """The parameter that makes it as large as a budget, e.g. {"nnz": 8} at 64 bytes."""
        parameter, unit = self.size
        return {parameter: budget_bytes // unit}


SPARSE, DENSE = ("nnz", 8), ("width", 4)  # Table 1: bytes of a sparse value, of a dense one
# In the order of figures and tables. Entries that share a class differ in recipe, the paper's
# first, and, of ELSA, in size: the uncompressed reference, or the paper's low-dimensional baseline.
METHODS = (
    Method("CompressedELSA", "Compressed ELSA", "celsa_lib.models.compressed:CompressedELSA",
           "#D55E00", "o", SPARSE, trained=True),
    Method("CompressedELSA", "Recommended setting", "celsa_lib.models.compressed:CompressedELSA",
           "#882255", "h", SPARSE, trained=True, recipe="recommended"),
    Method("PrunedEASE", "Pruned EASE", "celsa_lib.models.ease:PrunedEASE",
           "#009E73", "^", SPARSE),
    Method("ELSA", "Low-dim ELSA", "celsa_lib.models.elsa:ELSA",
           "#0072B2", "s", DENSE, trained=True),
    Method("ELSA", "Low-dim ELSA, regularised", "celsa_lib.models.elsa:ELSA",
           "#332288", "d", DENSE, trained=True, recipe="recommended"),
    Method("SparseAutoencoderELSA", "ELSA + SAE", "celsa_lib.models.sae:SparseAutoencoderELSA",
           "#CC79A7", "D", SPARSE, trained=True),
    Method("ELSA", "ELSA", "celsa_lib.models.elsa:ELSA", "#000000", "*", trained=True),
    Method("EASE", "EASE", "celsa_lib.models.ease:EASE", "#56B4E9", "P"),
    Method("Popularity", "Popularity", "celsa_lib.models.popularity:Popularity", "#999999", "X"),
    Method("Released", "Released embeddings", "", "#E69F00", "v"),
)  # fmt: skip
OURS, RECOMMENDED, DENSE = "Compressed ELSA", "Recommended setting", "ELSA"
UNCOMPRESSED = ("EASE", DENSE)  # one model per data set, whatever the budget: the references
FAMILIES = tuple(method.label for method in METHODS if method.compressed)
BASELINES = tuple(  # of the paper
    m.label for m in METHODS if m.compressed and m.recipe == "paper" and m.label != OURS
)


def by_name(name: str, compressed: bool = False, recipe: str = "paper") -> Method:
    """The method `name` of a configuration; `compressed` and `recipe` tell those of a class apart.

    The uncompressed one, by the paper's recipe, unless told otherwise. Raises ConfigError, naming
    what there is.
    """
    found = [method for method in METHODS if method.name == name]
    if not found:
        known = ", ".join(dict.fromkeys(method.name for method in METHODS))
        raise ConfigError(f'unknown method "{name}"; choose one of {known}')
    alike = [method for method in found if method.recipe == recipe] or found
    return next((method for method in alike if method.compressed == compressed), alike[0])


def by_label(label: str) -> Method:
    """The method that tables call `label`. Raises ConfigError, naming what there is."""
    found = next((method for method in METHODS if method.label == label), None)
    if found is None:
        known = ", ".join(method.label for method in METHODS)
        raise ConfigError(f'no method is called "{label}"; there is {known}')
    return found

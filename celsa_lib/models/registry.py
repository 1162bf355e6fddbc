"""Every method in one place: what configurations, tables and figures say of it.

A new baseline is a class and an entry here. Importing this needs no class and no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from celsa_lib.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """One method of Table 1 or beside it.

    name: in configurations and rows, that of its class. location: "module:class", "" for embeddings
    that come with the data. size: what a budget decides, and its bytes, for families that have a
    model at every budget; None for a single model. trained: by gradient, so that it has a seed, a
    learning rate, a precision and a backend. fixed: parameters that set it apart from others of
    its class. grid: what a baseline beside Table 1's chooses from on validation users, {} for
    nothing; with one it is in every study of further baselines. colour (Okabe and Ito 2008; Tol
    2021) and marker: in figures, where it is `drawn`; of baselines of one kind only one is, tables
    have them all. package: one that it needs beyond the library's own dependencies.
    """

    name: str
    label: str
    location: str
    colour: str
    marker: str
    size: tuple[str, int] | None = None
    trained: bool = False
    fixed: Mapping[str, object] = field(default_factory=dict)
    drawn: bool = True
    package: str = ""
    grid: Mapping[str, tuple] | None = None

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
        cls, parameters = self.load(), self.fixed | parameters
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


# Table 1: what a budget decides, and its bytes: of a sparse value, of a dense one.
SPARSE_SIZE, DENSE_SIZE = ("nnz", 8), ("width", 4)
RECOMMENDED_RECIPE = {"recipe": "recommended"}
# Of baselines beside Table 1's: each value with each of the others.
RIDGES = {"reg": (25.0, 50.0, 100.0, 200.0, 400.0)}
DENOISING = RIDGES | {"dropout": (0.2, 0.35, 0.5)}
# What the regularised autoencoder has of its own, chosen on validation users of MovieLens-100K. Its
# batches are smaller than without, so that fewer epochs have more steps.
SAE_RECIPE = RECOMMENDED_RECIPE | {"sae_epochs": 30, "sae_learning_rate": 0.03}
MRF_REGS = {"reg": (0.3, 1.0, 3.0, 10.0, 30.0)}  # of columns scaled by their standard deviation
THRESHOLD, REFITTED = {"support": "matrix"}, {"refit": True}
# In the order of figures and tables. Entries that share a class differ in what is fixed, nothing
# first, and, of ELSA, in size: the uncompressed reference, or the paper's low-dimensional baseline.
METHODS = (
    Method("CompressedELSA", "Compressed ELSA", "celsa_lib.models.compressed:CompressedELSA",
           "#D55E00", "o", SPARSE_SIZE, trained=True),
    Method("CompressedELSA", "Recommended setting", "celsa_lib.models.compressed:CompressedELSA",
           "#882255", "h", SPARSE_SIZE, trained=True, fixed=RECOMMENDED_RECIPE),
    Method("PrunedEASE", "Pruned EASE", "celsa_lib.models.pruned:PrunedEASE",
           "#009E73", "^", SPARSE_SIZE),
    Method("PrunedEASE", "EASE, by row, refitted", "celsa_lib.models.pruned:PrunedEASE",
           "#009E73", "_", SPARSE_SIZE, fixed=REFITTED, drawn=False, grid=RIDGES),
    Method("PrunedEASE", "EASE, one threshold", "celsa_lib.models.pruned:PrunedEASE",
           "#009E73", "<", SPARSE_SIZE, fixed=THRESHOLD, drawn=False, grid=RIDGES),
    Method("PrunedEASE", "EASE, threshold, refitted", "celsa_lib.models.pruned:PrunedEASE",
           "#009E73", ">", SPARSE_SIZE, fixed=THRESHOLD | REFITTED, grid=RIDGES),
    Method("PrunedEDLAE", "Pruned EDLAE", "celsa_lib.models.pruned:PrunedEDLAE",
           "#117733", "1", SPARSE_SIZE, drawn=False, grid=DENOISING),
    Method("PrunedEDLAE", "EDLAE, one threshold", "celsa_lib.models.pruned:PrunedEDLAE",
           "#117733", "3", SPARSE_SIZE, fixed=THRESHOLD, drawn=False, grid=DENOISING),
    Method("PrunedEDLAE", "EDLAE, threshold, refitted", "celsa_lib.models.pruned:PrunedEDLAE",
           "#117733", "4", SPARSE_SIZE, fixed=THRESHOLD | REFITTED, drawn=False, grid=DENOISING),
    Method("SparseMRF", "Sparse MRF", "celsa_lib.models.pruned:SparseMRF",
           "#999933", "H", SPARSE_SIZE, grid=MRF_REGS),
    Method("SANSA", "SANSA", "celsa_lib.models.sansa:SANSA",
           "#AA4499", "2", SPARSE_SIZE, drawn=False, package="sansa"),
    Method("Compresso", "compresso-recsys", "celsa_lib.models.compresso:Compresso",
           "#44AA99", "+", SPARSE_SIZE, trained=True, drawn=False, package="compresso_recsys"),
    Method("ELSA", "Low-dim ELSA", "celsa_lib.models.elsa:ELSA",
           "#0072B2", "s", DENSE_SIZE, trained=True),
    Method("ELSA", "Low-dim ELSA, regularised", "celsa_lib.models.elsa:ELSA",
           "#332288", "d", DENSE_SIZE, trained=True, fixed=RECOMMENDED_RECIPE),
    Method("SparseAutoencoderELSA", "ELSA + SAE", "celsa_lib.models.sae:SparseAutoencoderELSA",
           "#CC79A7", "D", SPARSE_SIZE, trained=True),
    Method("SparseAutoencoderELSA", "ELSA + SAE, regularised",
           "celsa_lib.models.sae:SparseAutoencoderELSA", "#CC6677", "x", SPARSE_SIZE, trained=True,
           fixed=SAE_RECIPE, drawn=False, grid={}),
    Method("ELSA", "ELSA", "celsa_lib.models.elsa:ELSA", "#000000", "*", trained=True),
    Method("ELSA", "ELSA, regularised", "celsa_lib.models.elsa:ELSA", "#DDCC77", "|", trained=True,
           fixed=RECOMMENDED_RECIPE, drawn=False, grid={}),
    Method("EASE", "EASE", "celsa_lib.models.ease:EASE", "#56B4E9", "P"),
    Method("EDLAE", "EDLAE", "celsa_lib.models.ease:EDLAE", "#88CCEE", "8", grid=DENOISING),
    Method("Popularity", "Popularity", "celsa_lib.models.popularity:Popularity", "#999999", "X"),
    Method("Released", "Released embeddings", "", "#E69F00", "v"),
)  # fmt: skip
BY_LABEL = {method.label: method for method in METHODS}
OURS, RECOMMENDED, DENSE = "Compressed ELSA", "Recommended setting", "ELSA"
UNCOMPRESSED = ("EASE", DENSE)  # one model per data set, whatever the budget: the references
FAMILIES = tuple(method.label for method in METHODS if method.compressed)
LOW_DIM, SAE = "Low-dim ELSA", "ELSA + SAE"
BASELINES = ("Pruned EASE", LOW_DIM, SAE)  # compressed, of the paper's Table 1


def by_name(name: str, compressed: bool = False, params: Mapping[str, object] = {}) -> Method:
    """The method `name` of a configuration; `compressed` and `params` tell those of a class apart.

    The uncompressed one with nothing fixed, unless told otherwise. Raises ConfigError, naming what
    there is.
    """
    found = [method for method in METHODS if method.name == name]
    if not found:
        known = ", ".join(dict.fromkeys(method.name for method in METHODS))
        raise ConfigError(f'unknown method "{name}"; choose one of {known}')
    alike = [method for method in found if method.fixed.items() <= params.items()] or found
    alike.sort(key=lambda method: (-len(method.fixed), method.compressed != compressed))
    return alike[0]


def by_label(label: str) -> Method:
    """The method that tables call `label`. Raises ConfigError, naming what there is."""
    if label not in BY_LABEL:
        raise ConfigError(f'no method is called "{label}"; there is {", ".join(BY_LABEL)}')
    return BY_LABEL[label]

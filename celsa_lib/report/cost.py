"""Tables of what training and recommending cost, from stored benchmarks."""

import pandas as pd

from celsa_lib.results import Result

CELSA, FORMULA = "celsa", "masked dense torch"
SAME_PRECISION, READS = "torch, same precision", "read in L2"


def section(result: Result, name: str) -> pd.DataFrame:
    """The rows of one section, one line each."""
    return pd.DataFrame([row for row in result.rows if row["section"] == name])


def step_ratios(result: Result) -> pd.DataFrame:
    """By nnz: milliseconds of our step, and how many times longer the others take."""
    lines = []
    for nnz, group in section(result, "step").groupby("nnz"):
        seconds = group.set_index("contender")["seconds"]
        ours = seconds[CELSA]
        theirs = seconds[seconds.index.str.startswith("compresso")]
        line = {"nnz": nnz, "celsa, ms": round(1e3 * ours, 1), FORMULA: seconds[FORMULA] / ours}
        if len(theirs):
            line |= {"compresso, best": theirs.min() / ours, "which": theirs.idxmin()}
        lines.append(line)
    return pd.DataFrame(lines).round(1)


def hardware_share(result: Result) -> pd.DataFrame:
    """By nnz: arithmetic per step over its time, as a share of the machine's own product.

    Of its product in bfloat16 for the dense stage where that has it, in float32 otherwise.
    """
    speeds = section(result, "hardware").groupby("what")["rate"].max()
    steps = section(result, "step")
    steps = steps[steps["contender"] == CELSA]
    rate = steps["gflop"] / steps["seconds"]
    half = (steps["nnz"] == steps["width"]) & (rate > speeds["product float32"])
    kind = half.map({True: "product bfloat16", False: "product float32"})
    return pd.DataFrame({
        "nnz": steps["nnz"],
        "GFLOP per step": steps["gflop"].round(1),
        "GFLOP/s": rate.round(0).astype(int),
        "share": (rate / kind.map(speeds)).map("{:.0%}".format),
        "of the machine's": kind,
    })  # fmt: skip


def gpu_ratios(result: Result) -> pd.DataFrame:
    """By nnz and precision of the products, on a GPU: milliseconds of our step, and how many times
    longer others take; the paper's formula in torch also with products of the same precision.

    "of its reads": our time over that of reading as much as both passes do within the cache.
    """
    steps, lines = section(result, "step"), []
    rates = section(result, "limits").groupby("what")["rate"].max()
    scores = result.manifest["items"] * result.manifest["batch"]
    for nnz, group in steps.groupby("nnz"):
        seconds = group.set_index("contender")["seconds"]
        celsa = seconds[seconds.index.str.startswith("celsa")]
        others = seconds[seconds.index.str.startswith(("torch TF32", "compresso"))]
        for name, ours in celsa.items():
            precision = name.removeprefix("celsa ")
            line = {"nnz": nnz, "precision": precision, "celsa, ms": round(1e3 * ours, 3)}
            same = seconds.get(f"torch {precision}")
            line[SAME_PRECISION] = "–" if same is None else f"{same / ours:.1f}"
            line |= {other: round(value / ours, 1) for other, value in others.items()}
            if len(celsa) == 1 and READS in rates:  # 2 passes of float32 over the nonzeros
                line["of its reads"] = round(ours * 1e9 * rates[READS] / (2 * 4 * nnz * scores), 1)
            lines.append(line)
    return pd.DataFrame(lines)


def gpu_sizes(result: Result) -> str:
    """What a step on a GPU was measured on: the GPU, the data, and the sizes."""
    manifest, dense = result.manifest, section(result, "step")["nnz"].max()
    card = manifest["runs"][result.run]["machine"]["card"]
    return (
        f"{card}, {manifest['data']}:\n{manifest['items']:,} items, batches of "
        f"{manifest['batch']:,} users, width {dense:,}"
    )


def gpu_trainings(result: Result) -> pd.DataFrame:
    """Whole trainings: data, setting, device, seconds, and nDCG@100 of validation users.

    "first": of the first call, in which kernels are compiled where they never were.
    """
    table = section(result, "training")
    cores = result.manifest["runs"][result.run]["machine"]["cores"]
    device = table["device"].map({"cuda": "GPU", "cpu": f"{cores} CPU cores"})
    score = table["ndcg@100"].map("{:.4f}".format) + " ± " + table["stderr"].map("{:.4f}".format)
    return pd.DataFrame({
        "data": table["data"], "setting": table["what"], "on": device,
        "seconds": table["seconds"].round(2), "first": table["first"].round(1), "nDCG@100": score,
    })  # fmt: skip


def inference_table(result: Result) -> pd.DataFrame:
    """Throughput, latency and memory of each way to recommend."""
    table = section(result, "inference")
    ours = table.loc[table["contender"] == CELSA, "seconds"].iloc[0]
    return pd.DataFrame({
        "implementation": table["contender"],
        "all users, ms": (1e3 * table["seconds"]).round(0).astype(int),
        "relative time": (table["seconds"] / ours).round(1),
        "one user, median ms": (1e3 * table["p50"]).round(2),
        "99 %, ms": (1e3 * table["p99"]).round(2),
        "model, MiB": table["model_mib"].round(1),
        "scores held, MiB": table["scores_mib"],
    })  # fmt: skip


def packed_table(result: Result) -> pd.DataFrame:
    """Bytes per item and time of scoring packed rows, beside those in memory (the first)."""
    table = section(result, "packed")
    return pd.DataFrame({
        "rows": table["contender"],
        "bytes per item": table["bytes_per_item"].round(1),
        "scores of all users, ms": (1e3 * table["seconds"]).round(0).astype(int),
        "relative time": (table["seconds"] / table["seconds"].iloc[0]).round(1),
        "their best 100, ms": (1e3 * table["best"]).round(0).astype(int),
        "best 100 of one user, median ms": (1e3 * table["p50"]).round(2),
        "relative time, one user": (table["p50"] / table["p50"].iloc[0]).round(1),
    })  # fmt: skip


def hardware(result: Result) -> pd.DataFrame:
    """The best rate of the machine's own products and copies, with its unit."""
    rates = section(result, "hardware").groupby("what", as_index=False)["rate"].max()
    return rates.assign(unit=rates["what"].map({"copy": "GB/s"}).fillna("GFLOP/s"))


def bfloat16_effect(result: Result) -> pd.DataFrame:
    """nDCG@100 of validation users with factors in float32 and bfloat16, and the difference."""
    names = {"mean": "difference", "low": "95 % from", "high": "to", "stderr": "standard error"}
    columns = ["dataset", "seed", "float32", "bfloat16", *names]
    return pd.DataFrame(result.rows)[columns].rename(columns=names)


def width_growth(result: Result) -> pd.DataFrame:
    """Milliseconds per step by width, a column per nnz."""
    steps = section(result, "growth width").pivot(index="width", columns="nnz", values="seconds")
    steps = (1e3 * steps).round(1).add_prefix("ms at nnz ")
    return steps.rename_axis(columns=None).reset_index()


def cache_reads(result: Result) -> pd.DataFrame:
    """Nanoseconds per nonzero that read the latents of a block of users, by width."""
    machine, lines = result.manifest["runs"][result.run]["machine"], section(result, "reads")
    users = round(2**20 * lines["latents_mib"].iloc[0] / (4 * lines["width"].iloc[0]))
    return pd.DataFrame({
        "width": lines["width"],
        f"latents of {users} users, MiB": lines["latents_mib"],
        "ns per nonzero": lines["ns"],
        "second-level cache, KiB per core": machine["l2_kib"],
    })  # fmt: skip


def whole_schedule(result: Result) -> pd.DataFrame:
    """One training path: seconds, steps, and the time relative to celsa's."""
    lines = section(result, "schedule")[["contender", "seconds", "steps"]]
    ours = lines.loc[lines["contender"] == CELSA, "seconds"].item()
    lines = lines.assign(**{"relative time": (lines["seconds"] / ours).round(1)})
    return lines.rename(columns={"contender": "implementation"})


def memory(result: Result) -> pd.DataFrame:
    """Peak memory of the whole process by items, nnz and width."""
    names = {"outputs": "items scored", "seconds": "seconds per step", "peak_gib": "peak, GiB"}
    columns = ["items", "nnz", "width", *names]
    return section(result, "memory")[columns].rename(columns=names)


def device_agreement(result: Result) -> pd.DataFrame:
    """CPU and GPU: largest relative difference of a loss, largest difference of a row's value."""
    lines = section(result, "agreement")[["what", "steps", "loss", "rows"]]
    values = lines["rows"].map("{:.1e}".format)
    pruned = lines["what"] == "paper"  # where a nonzero may survive on one device alone
    return lines.assign(loss=lines["loss"].map("{:.1e}".format), rows=values.mask(pruned, ""))


def inference_growth(result: Result) -> pd.DataFrame:
    """Milliseconds and memory of recommending, by nnz."""
    lines = section(result, "growth")
    return pd.DataFrame({
        "nnz": lines["nnz"],
        "ms": (1e3 * lines["seconds"]).round(1),
        "model, MiB": lines["model_mib"],
    })  # fmt: skip

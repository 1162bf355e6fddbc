"""A real Slurm of this one machine, as Debian's slurm-wlm and munge make it, for a test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

NEEDED = ("slurmctld", "slurmd", "munged", "mungekey", "sinfo", "sbatch", "squeue", "scancel")
USUAL = Path("/etc/slurm/slurm.conf")  # jobs look nowhere else: Snakemake drops SLURM_CONF
CONFIG = """
ClusterName=celsa
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1
MinJobAge=600
ReturnToService=2
NodeName={host} CPUs={cores} RealMemory=2000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=60 State=UP
"""


def why_not() -> str:
    """Why there can be no Slurm here, "" if there can."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        return f"needs Debian's slurm-wlm and munge: no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "needs to run as root"
    return f"there is a Slurm here already: {USUAL}" if USUAL.exists() else ""


@contextmanager
def one_machine_slurm() -> Iterator[None]:
    """Daemons and a configuration while it lasts. Raises RuntimeError where they do not start."""
    with tempfile.TemporaryDirectory(prefix="slurm") as name, ExitStack() as daemons:
        folder, host = Path(name), socket.gethostname().split(".")[0]
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        subprocess.run(["mungekey", "--create", f"--keyfile={key}"], check=True)
        USUAL.parent.mkdir(exist_ok=True)
        daemons.callback(USUAL.unlink)
        USUAL.write_text(
            CONFIG.format(folder=folder, host=host, cores=os.cpu_count(), ports=free_ports(2))
        )
        files = [f"--{part}-file={folder}/munged.{part}" for part in ("pid", "log", "seed")]
        munge = ["munged", "--foreground", "--force", f"--key-file={key}", *files]
        for command in (
            [*munge, f"--socket={folder}/munge.socket"],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", host],
        ):
            log = daemons.enter_context(open(folder / f"{command[0]}.out", "w"))
            process = subprocess.Popen(command, stdout=log, stderr=log)
            daemons.callback(end, process)
            time.sleep(1)
        wait_until_idle(folder)
        yield


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses now."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until_idle(folder: Path) -> None:
    """Until the machine takes jobs. Raises RuntimeError with what the daemons said."""
    for _ in range(60):
        command = ["sinfo", "--noheader", "--format=%T"]
        asked = subprocess.run(command, capture_output=True, text=True)
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    said = "\n".join(f"{p.name}: {p.read_text()[-800:]}" for p in folder.glob("*.out"))
    raise RuntimeError(f"Slurm did not start: {asked.stdout}{asked.stderr}\n{said}")

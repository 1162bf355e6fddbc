"""Packed rows answer from a file that is larger than the memory they may take."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl

ROOT = Path(__file__).parents[1]
ITEMS, WIDTH = 6_000, 1_000  # dense rows of a byte per value: 6 MB
SAID = "What a process has of its own are 8 bytes per item and the scores of the users who ask"
# Loops are compiled, and threads started, by a small file before anything is measured.
SCRIPT = """
import resource, sys
import numpy as np
from scipy.sparse import csr_matrix
import celsa_lib as cl

def own():
    lines = open("/proc/self/status").read().split()
    return 1024 * int(lines[lines.index("RssAnon:") + 1])

def asked(packed):
    X = csr_matrix(([1.0, 1.0], ([0, 0], [3, 5])), (1, packed.shape[0]))
    return packed.recommend(X, 10)[0], packed.similar([3], 10)[0]

small, large = sys.argv[1:]
asked(cl.PackedEmbeddings.load(small))
before = own()
data = int(open("/proc/self/status").read().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (data + 2**23, data + 2**23))
packed = cl.PackedEmbeddings.load(large)
found, near = asked(packed)
held = own() - before
try:
    packed.unpack()
    fits = True
except MemoryError:
    fits = False
print(held, fits, *found[0], *near[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory of its own is read from /proc")
def test_a_file_answers_in_less_memory_than_it_has_bytes(tmp_path):
    """Under a limit of 8 MiB more, in which the same rows do not fit unpacked; see the book."""
    rng = np.random.default_rng(0)
    large = cl.ItemEmbeddings(csr_matrix(rng.standard_normal((ITEMS, WIDTH), np.float32)))
    files = tmp_path / "small.packed", tmp_path / "large.packed"
    small = cl.ItemEmbeddings(csr_matrix(rng.standard_normal((100, 20), np.float32)))
    small.pack(8, files[0])
    packed = large.pack(8, files[1])
    command = [sys.executable, "-c", SCRIPT, *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    held, fits, *found = done.stdout.split()
    assert files[1].stat().st_size > ITEMS * WIDTH and fits == "False"
    assert int(held) < files[1].stat().st_size / 3
    X = csr_matrix(([1.0, 1.0], ([0, 0], [3, 5])), (1, ITEMS))
    expected = *packed.recommend(X, 10)[0][0], *packed.similar([3], 10)[0][0]
    assert tuple(map(int, found)) == expected
    assert SAID in (ROOT / "book/serving.md").read_text().replace("\n", " ")

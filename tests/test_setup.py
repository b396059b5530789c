# SPDX-License-Identifier: MIT
"""The set-up tools: what they fetch, what they refuse, and that they are silent when done."""

import functools
import http.server
import os
import resource
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import archive
import host
import pytest
import source
import venv_tools
from elapid.say import Stop
from harness import ROOT

NAME = "micropython_1.26.1+ds.orig.tar.xz"
REAL_PATCHES = source.PATCHES
POOL = "pool/main/m/micropython"


def tarball(path):
    """A small tarball with the shape of a source package; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = path.parent / "mpconfig.h"
    header.write_text("#define MICROPY_VERSION_MAJOR 1\n")
    with tarfile.open(path, "w:xz") as tar:
        tar.add(header, "micropython-1.26.1/py/mpconfig.h")
    return source.file_hash(path)


@pytest.fixture(autouse=True)
def patches(request, tmp_path_factory, monkeypatch):
    """A folder of patches, with none in it: the tarballs here are not MicroPython."""
    folder = tmp_path_factory.mktemp("patches")
    monkeypatch.setattr(source, "PATCHES", folder)
    if "nothing_to_do" not in request.node.name:
        monkeypatch.delenv("MICROPY_DIR", raising=False)  # the suite may be run with one
    return folder


def patch(old, new):
    return f"""Why it is needed.

--- a/py/mpconfig.h
+++ b/py/mpconfig.h
@@ -1 +1 @@
-{old}
+{new}
"""


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A web server as the machine's only mirror. Its folder; `.requests` lists what was asked."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            requests.append(self.path)

        def log_error(self, *args):
            pass

    handler = functools.partial(Handler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(archive, "mirrors", lambda: [address])
    folder_with_log = type("Mirror", (), {"folder": folder, "requests": requests})
    yield folder_with_log
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_git(monkeypatch):
    """Upstream's repository is out of reach."""
    monkeypatch.setattr(source, "GIT", "file:///nonexistent/micropython.git")


@pytest.fixture(params=["apt-helper", "urllib"])
def fetcher(request, monkeypatch):
    """Both ways to fetch: with apt's helper, and on a machine without it."""
    if request.param == "urllib":
        monkeypatch.setattr(archive, "APT_HELPER", "/nonexistent")
    elif not os.path.exists(archive.APT_HELPER):
        pytest.skip("no apt on this machine")


def pin(monkeypatch, sha256):
    monkeypatch.setattr(source, "DEBIAN", (("1.26.1+ds", sha256),))


def test_source_is_fetched_checked_and_unpacked_once(mirror, fetcher, tmp_path, monkeypatch):
    pin(monkeypatch, tarball(mirror.folder / POOL / NAME))
    assert not source.ready(tmp_path)
    source.install(tmp_path)
    assert source.ready(tmp_path)
    assert (tmp_path / "build/micropython/py/mpconfig.h").exists()
    asked = len(mirror.requests)
    # With the tree gone, the kept tarball serves again.
    os.rename(tmp_path / "build/micropython", tmp_path / "gone")
    source.install(tmp_path)
    assert source.ready(tmp_path) and len(mirror.requests) == asked
    assert sorted(os.listdir(tmp_path / "build")) == ["downloads", "micropython"]


def test_patches_are_applied_and_a_changed_one_makes_a_fresh_tree(
    mirror, patches, tmp_path, monkeypatch
):
    pin(monkeypatch, tarball(mirror.folder / POOL / NAME))
    config = tmp_path / "build/micropython/py/mpconfig.h"
    for new in ("#define MICROPY_VERSION_MAJOR 2", "#define MICROPY_VERSION_MAJOR 3"):
        (patches / "one.patch").write_text(patch("#define MICROPY_VERSION_MAJOR 1", new))
        assert not source.ready(tmp_path)
        source.install(tmp_path)
        assert source.ready(tmp_path) and config.read_text() == new + "\n"


def test_a_patch_that_does_not_apply_is_named(mirror, patches, no_git, tmp_path, monkeypatch):
    pin(monkeypatch, tarball(mirror.folder / POOL / NAME))
    (patches / "one.patch").write_text(patch("something else", "whatever"))
    with pytest.raises(Stop) as stop:
        source.install(tmp_path)
    message = str(stop.value)
    assert f"{NAME}: one.patch does not apply: " in message and "py/mpconfig.h" in message
    assert "\n" not in message and not source.ready(tmp_path)
    assert not (tmp_path / "build/micropython").exists()


def test_a_tree_of_ones_own_is_copied_and_patched(patches, tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "py").mkdir(parents=True)
    (own / "py/mpconfig.h").write_text("#define MICROPY_VERSION_MAJOR 1\n")
    (patches / "one.patch").write_text(patch("#define MICROPY_VERSION_MAJOR 1", "patched"))
    monkeypatch.setenv("MICROPY_DIR", str(own))
    assert not source.ready(tmp_path)
    source.install(tmp_path)
    assert source.ready(tmp_path)
    assert (tmp_path / "build/micropython-own/py/mpconfig.h").read_text() == "patched\n"
    assert (own / "py/mpconfig.h").read_text() == "#define MICROPY_VERSION_MAJOR 1\n"
    (own / "py/more.h").write_text("")
    assert not source.ready(tmp_path)
    source.install(tmp_path)
    assert (tmp_path / "build/micropython-own/py/more.h").exists()
    (own / "py/mpconfig.h").write_text("other\n")
    with pytest.raises(Stop, match=f"MICROPY_DIR={own}: one.patch does not apply"):
        source.install(tmp_path)


def test_ubuntus_pool_is_tried_too(mirror, fetcher, tmp_path, monkeypatch):
    pin(monkeypatch, tarball(mirror.folder / "pool/universe/m/micropython" / NAME))
    source.install(tmp_path)
    assert source.ready(tmp_path)


def test_older_version_serves_when_the_newer_left_the_archive(mirror, tmp_path, monkeypatch):
    old = "micropython_1.25.0+ds.orig.tar.xz"
    sha256 = tarball(mirror.folder / POOL / old)
    monkeypatch.setattr(source, "DEBIAN", (("1.26.1+ds", "0" * 64), ("1.25.0+ds", sha256)))
    source.install(tmp_path)
    assert (tmp_path / "build/downloads" / old).exists()


def test_wrong_hash_stops_with_one_line(mirror, fetcher, tmp_path, monkeypatch):
    found = tarball(mirror.folder / POOL / NAME)
    pin(monkeypatch, "1" * 64)
    with pytest.raises(Stop) as stop:
        source.install(tmp_path)
    message = str(stop.value)
    assert NAME in message and found in message and "1" * 64 in message and "\n" not in message
    assert not source.ready(tmp_path)
    assert not list((tmp_path / "build/downloads").iterdir())


def test_damaged_download_is_fetched_again(mirror, tmp_path, monkeypatch):
    pin(monkeypatch, tarball(mirror.folder / POOL / NAME))
    kept = tmp_path / "build/downloads" / NAME
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half of it")
    source.install(tmp_path)
    assert source.ready(tmp_path)


def test_no_network_is_one_line(fetcher, no_git, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "mirrors", lambda: ["http://127.0.0.1:9/debian/"])
    with pytest.raises(Stop) as stop:
        source.install(tmp_path)
    message = str(stop.value)
    assert "no source of MicroPython within reach" in message and "\n" not in message
    assert NAME in message and "git clone" in message and "MICROPY_DIR" in message
    assert not source.ready(tmp_path)


def test_machine_without_mirrors_says_so(no_git, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "mirrors", lambda: [])
    with pytest.raises(Stop, match="no archive in apt's configuration"):
        source.install(tmp_path)


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A git repository in upstream's place, with the tag, and no archive."""
    repo = tmp_path / "upstream"
    (repo / "py").mkdir(parents=True)
    (repo / "py/mpconfig.h").write_text("#define MICROPY_VERSION_MAJOR 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-C", repo]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", source.GIT_TAG]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(archive, "mirrors", lambda: [])
    monkeypatch.setattr(source, "GIT", repo.as_uri())
    return repo


def test_git_is_the_last_resort(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "GIT_TREE", source.tree_hash(upstream))
    source.install(tmp_path)
    assert source.ready(tmp_path)


def test_a_moved_tag_is_refused(upstream, tmp_path):
    with pytest.raises(Stop, match="tree hash is .*, expected " + source.GIT_TREE):
        source.install(tmp_path)
    assert not source.ready(tmp_path)


def test_pinned_tree_hash_is_that_of_the_release(tmp_path):
    kept = ROOT / "build/downloads" / NAME
    if not kept.is_file() or source.file_hash(kept) != source.DEBIAN[0][1]:
        pytest.skip("built from another source")
    subprocess.run(["tar", "-xf", kept, "-C", tmp_path], check=True)
    assert source.tree_hash(next(tmp_path.iterdir())) == source.GIT_TREE


def run_setup(**env):
    return subprocess.run(
        [sys.executable, "tools/setup.py"],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_micropy_dir_that_the_patches_are_not_for_is_one_line(tmp_path):
    (tmp_path / "py").mkdir()
    (tmp_path / "py/mpconfig.h").touch()
    done = run_setup(MICROPY_DIR=str(tmp_path))
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert f"MICROPY_DIR={tmp_path}: " in done.stderr and ".patch does not apply: " in done.stderr
    assert os.listdir(tmp_path) == ["py"]


def test_wrong_micropy_dir_is_one_line(tmp_path):
    done = run_setup(MICROPY_DIR=str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f"elapid: MICROPY_DIR={tmp_path} is not a MicroPython source tree: no py/mpconfig.h\n"
    )


@pytest.mark.skipif("MICROPY_DIR" in os.environ, reason="it looks whether that folder has changed")
def test_nothing_to_do_is_quick_and_silent():
    times = []  # of the processor: other work beside makes no difference
    while len(times) < 10 and not any(used < 0.3 for used in times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_setup()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert min(times) < 0.3, times


def test_nothing_to_do_starts_no_program(monkeypatch):
    def no_program(*args, **kwargs):
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess, "Popen", no_program)
    monkeypatch.setattr(source, "PATCHES", REAL_PATCHES)
    assert host.ready(ROOT) and venv_tools.ready(ROOT) and source.ready(ROOT)


def test_changed_requirements_renew_the_venv(tmp_path):
    (tmp_path / "requirements.txt").write_text("x==1\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    package = '[project]\nname = "own"\n'
    (tmp_path / "pyproject.toml").write_text(package + "[tool.x]\n")
    (tmp_path / ".venv/holds.txt").write_text('x==1\n{\n "name": "own"\n}\n')
    assert venv_tools.ready(tmp_path)
    for extra in venv_tools.EXTRAS:
        (tmp_path / f"requirements-{extra}.txt").write_text("y==1\n")
        assert not venv_tools.has(tmp_path, [extra])
        assert venv_tools.ready(tmp_path) == (extra not in venv_tools.ALWAYS)
        (tmp_path / f".venv/holds-{extra}.txt").write_text("y==1\n")
        assert venv_tools.has(tmp_path, [extra]) and venv_tools.ready(tmp_path)
    (tmp_path / "pyproject.toml").write_text(package + "[tool.y]\n")
    assert venv_tools.ready(tmp_path)
    (tmp_path / "pyproject.toml").write_text(package + "[project.scripts]\nown = 'own:main'\n")
    assert not venv_tools.ready(tmp_path)
    (tmp_path / "pyproject.toml").write_text(package)
    (tmp_path / "requirements.txt").write_text("x==2\n")
    assert not venv_tools.ready(tmp_path)


def test_without_root_or_sudo_the_command_is_printed(monkeypatch):
    monkeypatch.setattr(host, "missing", lambda: ["qemu-system-arm", "gcc"])
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(host, "_passwordless_sudo", lambda: False)
    with pytest.raises(Stop) as stop:
        host.install(ROOT)
    assert str(stop.value) == (
        "packages are missing; run: sudo apt-get update && "
        "sudo apt-get install -y --no-install-recommends qemu-system-arm gcc"
    )


def test_missing_commands_name_their_packages(monkeypatch):
    monkeypatch.setattr(host.shutil, "which", lambda name: None if "qemu" in name else name)
    assert host.missing() == ["qemu-system-arm", "ipxe-qemu"]


def test_mirrors_come_from_both_forms_of_apts_files(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.invalid/ x main\n"
        "deb [signed-by=/k.gpg arch=amd64] http://one.invalid/debian bookworm main # why\n"
        "deb-src http://one.invalid/debian/ bookworm main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
    )
    listed = tmp_path / "mirrors.list"
    listed.write_text("# mine\nhttps://three.invalid/debian\tpriority:1\n")
    (tmp_path / "sources.list.d/a.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://two.invalid/debian/\n http://two.invalid/more\n"
        "Suites: trixie\nComponents: main\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.invalid/debian\nSuites: x\n\n"
        f"Types: deb\nURIs: mirror+file://{listed}\nSuites: trixie\nComponents: main\n"
    )
    (tmp_path / "sources.list.d/b.list").write_text("deb\thttp://four.invalid/ubuntu noble main\n")
    assert archive.mirrors(tmp_path) == [
        "http://one.invalid/debian/",
        "http://four.invalid/ubuntu/",
        "http://two.invalid/debian/",
        "http://two.invalid/more/",
        "https://three.invalid/debian/",
    ]


def test_no_registry_is_written_down():
    """Mirrors and indexes are the machine's own business."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    hosts = ("deb.debian" + ".org", "archive.ubuntu" + ".com", "pypi" + ".org")
    for name in names.stdout.split():
        path = ROOT / name
        text = path.read_bytes() if path.is_file() else b""
        assert not [host for host in hosts if host.encode() in text], path


def test_no_paths_of_this_machine_in_tools():
    for path in Path(ROOT / "tools").glob("*"):
        if path.is_file():
            assert str(ROOT) not in path.read_text(), path

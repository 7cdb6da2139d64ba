"""An sshd of one's own on the loopback interface, with keys and configuration in a folder of its own."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECONDS_TO_START = 20.0


def why_not() -> str:
    """Why there can be no sshd here, or nothing."""
    missing = [name for name in ("sshd", "ssh", "ssh-keygen") if _find(name) is None]
    return f"{', '.join(missing)} not installed (apt install openssh-server)" if missing else ""


@contextmanager
def running(folder: Path) -> Iterator[list[str]]:
    """An sshd for as long as the block runs; yields the words of a command that reaches it.

    Args:
        folder: Where keys and configuration go; for this user alone.
    """
    folder.chmod(0o700)
    for name in ("host_key", "user_key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    authorized = folder / "authorized_keys"
    authorized.write_bytes((folder / "user_key.pub").read_bytes())
    authorized.chmod(0o600)
    port = _free_port()
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {authorized}\n"
        "PasswordAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
        f"PidFile {folder}/sshd.pid\n"
    )
    (folder / "ssh_config").write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user_key\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  BatchMode yes\n"
    )
    with suppress(OSError):  # Where root's sshd keeps its children apart; Debian's service makes it.
        Path("/run/sshd").mkdir(exist_ok=True)
    sshd = _find("sshd")
    assert sshd is not None
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"sshd did not start: {(folder / 'sshd.log').read_text()}")
            time.sleep(0.05)
        yield ["ssh", "-F", str(folder / "ssh_config"), "far"]
    finally:
        process.terminate()
        process.wait()


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0

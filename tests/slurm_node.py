"""A SLURM of one node on this machine, for the tests marked `slurm` and for trying things out by hand.

``python tests/slurm_node.py start`` prints what to export; ``stop`` ends its daemons. It needs root and Debian's
packages ``slurm-wlm`` and ``munge``; everything it writes is in one folder, with a key and a configuration of its own.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "alexnet-tui-slurm"
CONFIGURATION = FOLDER / "slurm.conf"
_SECONDS_TO_START = 30.0
_DAEMONS = ("slurmd", "slurmctld", "munged")


def why_not() -> str:
    """Why no node can be started here, or nothing."""
    missing = [name for name in _DAEMONS if not shutil.which(name, path=_path())]
    if missing:
        return f"{', '.join(missing)} not installed (apt install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "a node of one's own needs root"


def answers() -> bool:
    """Whether a slurmctld answers, with the configuration that ``SLURM_CONF`` or the system names."""
    if not shutil.which("scontrol"):
        return False
    done = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode == 0 and " UP" in done.stdout


def start() -> None:
    """Start the daemons and wait until the node is idle."""
    if reason := why_not():
        raise SystemExit(reason)
    stop()
    for name in ("state", "spool"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o755)
    key, socket = FOLDER / "munge.key", FOLDER / "munge.socket"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    CONFIGURATION.write_text(_configuration(socket))
    paths = [f"--{name}={FOLDER}/munge.{name}" for name in ("pid-file", "log-file", "seed-file")]
    _run("munged", "--force", f"--key-file={key}", f"--socket={socket}", *paths)
    os.environ["SLURM_CONF"] = str(CONFIGURATION)
    _run("slurmctld", "-f", str(CONFIGURATION), "-c", "-i")
    _run("slurmd", "-f", str(CONFIGURATION))
    deadline = time.monotonic() + _SECONDS_TO_START
    while _node_state() != "idle":
        if time.monotonic() > deadline:
            raise SystemExit(f"the node is {_node_state()!r} and not idle; the logs are in {FOLDER}")
        time.sleep(0.5)


def stop() -> None:
    """End the daemons of the folder; none is fine."""
    for path in (FOLDER / "slurmd.pid", FOLDER / "slurmctld.pid", FOLDER / "munge.pid-file"):
        if not path.exists():
            continue
        pid = int(path.read_text().strip() or 0)
        if pid > 1 and _is_daemon(pid):
            os.kill(pid, signal.SIGTERM)
            while _is_daemon(pid):
                time.sleep(0.1)
    shutil.rmtree(FOLDER, ignore_errors=True)


def _is_daemon(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(words[0])).name in _DAEMONS


def _configuration(socket: Path) -> str:
    cores = os.cpu_count() or 1
    return f"""
ClusterName=alone
SlurmctldHost={os.uname().nodename}(127.0.0.1)
SlurmctldPort=46817
SlurmdPort=46818
AuthType=auth/munge
AuthInfo=socket={socket},cred_expire=5
CredType=cred/munge
SlurmUser=root
StateSaveLocation={FOLDER}/state
SlurmdSpoolDir={FOLDER}/spool
SlurmctldPidFile={FOLDER}/slurmctld.pid
SlurmdPidFile={FOLDER}/slurmd.pid
SlurmctldLogFile={FOLDER}/slurmctld.log
SlurmdLogFile={FOLDER}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobRequeue=1
MinJobAge=10
KillWait=30
ReturnToService=2
NodeName={os.uname().nodename} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program, path=_path())
    assert found is not None
    subprocess.run([found, *arguments], check=True, stdin=subprocess.DEVNULL)


def _node_state() -> str:
    done = subprocess.run(["sinfo", "--noheader", "--format=%t"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            start()
            print(f"export SLURM_CONF={CONFIGURATION}")
        case ["stop"]:
            stop()
        case _:
            raise SystemExit(__doc__)

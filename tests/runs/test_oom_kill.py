"""What the kernel's log and counters say about a process that was killed."""

import time
from pathlib import Path

from alexnet_tui.runs.oom_kill import _cgroup_kills, is_in_log

NOW_MICROSECONDS, STARTED = int(time.monotonic() * 1e6), time.time() - 5
LOG = [
    "6,1,1000000,-;EXT4-fs (vda): mounted filesystem",
    "3,2,2000000,-;Memory cgroup out of memory: Killed process 41 (python) total-vm:1kB, anon-rss:1kB",
    f"3,3,{NOW_MICROSECONDS},-;Memory cgroup out of memory: Killed process 42 (python) total-vm:1kB, anon-rss:1kB",
    f"6,4,{NOW_MICROSECONDS},-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/x,task=python,pid=43,uid=0",
    "garbage",
    "",
]


def test_fault_22_a_kill_in_the_kernel_log_is_found_by_number_and_time() -> None:
    assert is_in_log(iter(LOG), 42, STARTED)
    assert is_in_log(iter(LOG), 43, STARTED)
    assert not is_in_log(iter(LOG), 4, STARTED)
    assert not is_in_log(iter(LOG), 44, STARTED)
    assert not is_in_log(iter(LOG), 41, STARTED)  # Another process had the number before.
    again = f"3,5,{NOW_MICROSECONDS},-;Memory cgroup out of memory: Killed process 41 (python) total-vm:1kB"
    assert is_in_log(iter([*LOG, again]), 41, STARTED)


def test_fault_22_counters_of_both_versions_of_control_groups(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    assert _cgroup_kills(tmp_path, membership) == 0
    membership.write_text("0::/user/me\n")
    assert _cgroup_kills(tmp_path, membership) == 0
    (tmp_path / "user" / "me").mkdir(parents=True)
    (tmp_path / "user" / "me" / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert _cgroup_kills(tmp_path, membership) == 2
    membership.write_text("5:devices:/\n4:memory:/box\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")
    assert _cgroup_kills(tmp_path, membership) == 7

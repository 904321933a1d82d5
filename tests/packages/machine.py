"""A Debian with a systemd of its own, booted with systemd-nspawn from a tree that stays as it is."""

import contextlib
import glob
import os
import pathlib
import shlex
import signal
import subprocess
import time

PATIENCE = 60
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def until(what, probe, patience=PATIENCE, pause=0.05):
    """Waits for something to become true and gives it; looks again after each pause."""
    deadline = time.monotonic() + patience
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience} s in vain until {what}"
        time.sleep(pause)


def remove_control_groups():
    """Without a service manager outside nobody removes them after a machine, and the next boot stumbles over them. Those in use stay."""
    for folder in sorted(glob.glob("/sys/fs/cgroup/*/payload/**/", recursive=True), reverse=True) + glob.glob("/sys/fs/cgroup/*/supervisor"):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


class Machine:
    """What it writes goes to memory, and is gone with it. Its network is a loopback of its own."""

    def __init__(self, tree, log):
        # A run that was killed has left its own.
        remove_control_groups()
        words = ["systemd-nspawn", "--directory", str(tree), "--volatile=overlay", "--boot", "--quiet", "--register=no", "--keep-unit"]
        words += ["--private-network", "--resolv-conf=off", "--timezone=off", "--console=pipe", "--kill-signal=SIGRTMIN+3"]
        self.nspawn = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.leader = until("the machine's systemd is there", self.find_leader)
        self.root = pathlib.Path(f"/proc/{self.leader}/root")
        try:
            until("the machine has booted", lambda: self.run("systemctl is-system-running", check=False) in ("running", "degraded"))
            assert self.run("systemctl --failed --quiet --no-pager") == "", "a unit of the machine failed"
        except BaseException:
            self.stop()
            raise

    def find_leader(self):
        assert self.nspawn.poll() is None, "systemd-nspawn ended"
        found = subprocess.run(["pgrep", "-P", str(self.nspawn.pid)], stdout=subprocess.PIPE, text=True, check=False)
        return int(found.stdout.split()[0]) if found.stdout else None

    def command(self, command):
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "--"]
        return enter + ["sh", "-c", f"cd /root; {command}"]

    def run(self, command, check=True, code=None):
        """Runs a shell command in the machine; gives what it printed. `code` is the exit code that it must have."""
        done = subprocess.run(
            self.command(command), env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        wanted = code if code is not None else 0 if check else done.returncode
        assert done.returncode == wanted, f"exit code {done.returncode}, not {wanted}: {command}\n{done.stdout}"
        return done.stdout.strip()

    def show(self, unit, name):
        """A property of a unit."""
        return self.run(f"systemctl show --property={name} --value {shlex.quote(unit)}")

    def copy(self, path):
        """Copies a file to /root and gives its name there."""
        path = pathlib.Path(path)
        (self.root / "root" / path.name).write_bytes(path.read_bytes())
        return f"/root/{path.name}"

    def write(self, path, text):
        """Writes a file there."""
        (self.root / path[1:]).write_text(text)

    @contextlib.contextmanager
    def in_network(self):
        """What happens inside uses the network of the machine."""
        ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        theirs = os.open(f"/proc/{self.leader}/ns/net", os.O_RDONLY)
        setns(theirs)
        try:
            yield
        finally:
            setns(ours)
            os.close(ours)
            os.close(theirs)

    def stop(self):
        """Powers it off. Killing systemd-nspawn itself would leave the machine running."""
        self.run("systemctl poweroff", check=False)
        try:
            self.nspawn.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
            self.nspawn.wait(PATIENCE)
        remove_control_groups()


def setns(fd):
    """Moves this thread, and those that it starts, into a network namespace. Python has a function for it from 3.12 on."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")

"""A Debian in an emulated machine, with a kernel of its own: control groups, AppArmor and snapd work there as on a real host."""

import base64
import functools
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "packaging"))

import machine  # noqa: E402
import qemu  # noqa: E402

APPEND = f"console=ttyS0 root=/dev/vda rw quiet systemd.show_status=0 panic=-1 apparmor=1 security=apparmor {qemu.APPEND}"
# An emulated machine takes its time.
until = functools.partial(machine.until, patience=600, pause=1)


class Virtual:
    """A machine on the disk of an image (tests/packages/build-image), which stays as it is. Files are read from its /mnt."""

    def __init__(self, image, folder, files):
        self.console = pathlib.Path(folder, "console")
        drive = pathlib.Path(folder, "files")
        drive.mkdir()
        for path in files:
            (drive / pathlib.Path(path).name).write_bytes(pathlib.Path(path).read_bytes())
        qemu.run("mkfs.ext4", "-q", "-F", "-d", str(drive), f"{drive}.disk", "200M")
        root = qemu.unpack(os.environ.get("TESTFLINGER_POWER_CACHE", os.path.expanduser("~/.cache/testflinger-power")))
        words = ["-m", "2048", "-display", "none", "-monitor", "none", "-serial", f"file:{self.console}", "-serial", "stdio"]
        words += ["-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd", "-append", APPEND]
        words += ["-drive", f"file={image}/disk,format=raw,if=virtio,snapshot=on", "-drive", f"file={drive}.disk,format=raw,if=virtio"]
        # The disk's changes are in a temporary file, and those of a run take a gigabyte.
        self.process = qemu.start(root, words, processors=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace")
        while "ready" not in (line := self.process.stdout.readline()):
            assert line, f"the machine ended before it had booted:\n{self.console.read_text(errors='replace')[-2000:]}"
        self.run("mount -o ro /dev/vdb /mnt")

    def run(self, command, check=True, code=None):
        """Runs a shell command there; gives what it printed. `code` is the exit code that it must have."""
        self.process.stdin.write(base64.b64encode(command.encode()).decode() + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the machine ended at: {command}"
        *output, ended = answer.split()
        text = base64.b64decode("".join(output)).decode(errors="replace")
        wanted = code if code is not None else 0 if check else int(ended)
        assert int(ended) == wanted, f"exit code {ended}, not {wanted}: {command}\n{text}"
        return text.strip()

    def show(self, unit, name):
        """A property of a unit."""
        return self.run(f"systemctl show --property={name} --value {unit}")

    def write(self, path, text):
        """Writes a file there, and the directories above it."""
        encoded = base64.b64encode(text.encode()).decode()
        self.run(f"mkdir -p $(dirname {path}); echo {encoded} | base64 -d >{path}")

    def stop(self):
        self.process.kill()
        self.process.communicate()

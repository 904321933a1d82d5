"""Virtual machines for tests. They are emulated, so no /dev/kvm is needed, and qemu is unpacked instead of installed."""

import glob
import os
import re
import shutil
import subprocess

KERNEL = "linux-image-cloud-amd64"
PACKAGES = ["qemu-system-x86", "busybox-static"]
# What makes an emulated kernel faster.
APPEND = "mitigations=off tsc=reliable no_timer_check"


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def unpack(cache):
    """Unpacks qemu, busybox and a kernel, and gives the directory."""
    root = os.path.join(cache, "root")
    if os.path.exists(os.path.join(cache, "complete")):
        return root
    shutil.rmtree(cache, ignore_errors=True)
    debs = os.path.join(cache, "debs")
    os.makedirs(debs)
    os.makedirs(root)
    print("bringing qemu, busybox and a kernel", flush=True)
    simulated = run("apt-get", "install", "-s", "--no-install-recommends", *PACKAGES)
    # The packages that are missing are unpacked and not installed, because an installation may remove other packages.
    names = set(re.findall(r"^Inst (\S+)", simulated, re.M)) | set(PACKAGES)
    names |= set(re.findall(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", KERNEL)))
    run("apt-get", "download", *sorted(names), cwd=debs)
    for deb in glob.glob(debs + "/*.deb"):
        run("dpkg-deb", "-x", deb, root)
    open(os.path.join(cache, "complete"), "w").close()
    return root


def start(root, words, processors=2, **more):
    """Starts a machine without a network, and gives its process."""
    libraries = [os.path.join(root, folder, "x86_64-linux-gnu") for folder in ["usr/lib", "lib"]]
    ours = [f"{root}/usr/bin/qemu-system-x86_64", "-L", f"{root}/usr/share/qemu", "-L", f"{root}/usr/share/seabios"]
    ours += ["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(processors), "-no-reboot", "-nic", "none"]
    return subprocess.Popen(ours + words, env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}, **more)

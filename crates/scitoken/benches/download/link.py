"""A link with delay, for kernels without `netem`.

`python3 link.py LINK MILLISECONDS COMMAND...` makes, in a network namespace of its own, an interface through which a
server on 10.77.0.1 is reached as 10.77.0.2. The program LINK (link.rs) keeps each packet for half of the delay and gives
it back with its two addresses exchanged, so that both ends are this machine's own TCP, with its windows and its slow
start. Nothing limits the rate but the windows, the delay and the processor.
"""

import fcntl
import os
import struct
import subprocess
import sys

NAME = "delay0"
SERVER, SEEN_AS = "10.77.0.1", "10.77.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# As on the links between sites.
MTU = 9000


def interface():
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TUN | IFF_NO_PI))
    for command in (f"ip addr add {SERVER}/24 dev {NAME}", f"ip link set {NAME} mtu {MTU} txqueuelen 100000 up",
                    "ip link set lo up"):
        subprocess.run(command.split(), check=True)
    return tun


def main():
    if os.environ.get("LINK_INSIDE") is None:
        os.environ["LINK_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    link, delay, *command = sys.argv[1:]
    tun = interface()
    carrier = subprocess.Popen([link, str(int(float(delay) * 500))], stdin=tun)
    try:
        status = subprocess.run(command, check=False).returncode
    finally:
        carrier.kill()
        carrier.wait()
    raise SystemExit(status)


if __name__ == "__main__":
    main()

"""A link with delay, for kernels without `netem`.

`python3 link.py MILLISECONDS COMMAND...` makes, in a network namespace of its own, an interface through which a server
on 10.77.0.1 is reached as 10.77.0.2. Each packet stays in this process for half of the delay, then comes back with its
two addresses exchanged, so that both ends are this machine's own TCP, with its windows and its slow start. Nothing is
lost and nothing limits the rate but the windows, the delay and this process.
"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

NAME = "delay0"
SERVER, SEEN_AS = "10.77.0.1", "10.77.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# As on the links between sites; packets of 1,500 bytes would make this process the limit.
MTU = 9000


def interface():
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TUN | IFF_NO_PI))
    for command in (f"ip addr add {SERVER}/24 dev {NAME}", f"ip link set {NAME} mtu {MTU} txqueuelen 100000 up",
                    "ip link set lo up"):
        subprocess.run(command.split(), check=True)
    return tun


def carry(tun, delay, until):
    waiting = collections.deque()
    while until.poll() is None:
        now = time.monotonic()
        pause = min(0.2, max(0, waiting[0][0] - now)) if waiting else 0.2
        readable, _, _ = select.select([tun], [], [], pause)
        now = time.monotonic()
        for _ in range(256 if readable else 0):
            try:
                packet = os.read(tun, MTU + 100)
            except BlockingIOError:
                break
            if packet[0] >> 4 == 4:
                turned = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                waiting.append((now + delay, turned))
        while waiting and waiting[0][0] <= now:
            os.write(tun, waiting.popleft()[1])


def main():
    if os.environ.get("LINK_INSIDE") is None:
        os.environ["LINK_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    tun = interface()
    command = subprocess.Popen(sys.argv[2:])
    carry(tun, float(sys.argv[1]) / 2000, command)
    raise SystemExit(command.returncode)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""scitoken beside curl, aria2c, wget and davix-get: the same files, from the same nginx, in turn.

    benches/download.py [OPTIONS] [CASE...]

| case | what is fetched |
|---|---|
| http, https | one file of --size MiB into a tmpfs |
| disk | the same over http to a disk; with `fsync` where scitoken's own is what costs |
| adler32, crc32c, sha-256 | the same over http into a tmpfs, verified |
| many, thousands | --files files of 20 KiB, and 2,000 of them, 16 at once |
| small | one file of 20 KiB as a whole process, http and https |
| delay | one file of at most 256 MiB over a link of 50 ms (root) |
| hundred-thousand | 100,000 files of 1 KiB in one run of scitoken, its last quarter beside its first; only when named |

Tools that are not installed are left out; `limit` is a program of 40 lines that receives and writes and does nothing
else (benches/download/limit.rs). Each round runs all tools once, one after the other, and the medians are shown. Only the
ratios count: every machine has other disks and other neighbours. CPU time is the client's, without nginx's. --write puts the
table into docs/benchmarks.md and the picture into docs/download-speed.svg.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "download"))

import link  # noqa: E402
import report  # noqa: E402

HTTP, HTTPS = 18461, 18462
USUAL = ["http", "https", "disk", "adler32", "crc32c", "sha-256", "many", "thousands", "small", "delay"]
CASES = [*USUAL, "hundred-thousand", "many-hosts"]
HOSTS = [f"127.0.1.{n}" for n in range(1, 17)]
DELAY = 50
CONF = """daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;
events {{ worker_connections 1024; }}
http {{
  log_format times '$msec'; access_log {log}; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  default_type application/octet-stream;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  server {{ {listen} listen {host}:{https} ssl; root {dir}/files;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {dir}/host.pem; ssl_certificate_key {dir}/host.key; }}
}}
"""


def run(command, environment):
    """Runs one command and gives wall seconds, CPU seconds and peak memory in MiB."""
    return watched(command, environment)[:3]


def watched(command, environment):
    """As `run`, and gives what its memory was over the time."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = Peak(process.pid)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if status != 0:
        raise SystemExit(f"{command[0]} failed: {told.decode(errors='replace')[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, peak.ended(), peak.resident


class Peak(threading.Thread):
    """Looks at a process's peak memory until it ends: what `wait4` says of it counts this interpreter's before `exec`."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.mebibytes, self.resident = Path(f"/proc/{pid}/status"), 0, []
        self.start()

    def run(self):
        while True:
            try:
                told = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+)", self.status.read_text()))
            except OSError:
                return
            if not told:
                return
            self.mebibytes = int(told["VmHWM"]) / 1024
            self.resident.append(int(told["VmRSS"]) / 1024)
            time.sleep(0.01)

    def ended(self):
        self.join()
        return self.mebibytes


class Lab:
    """A directory with files to serve, and nginx before it."""

    def __init__(self, options, host="127.0.0.1", seen_as=None):
        self.options, self.host = options, seen_as or host
        self.dir = Path(tempfile.mkdtemp(prefix="scitoken-bench-", dir=options.memory))
        self.files, self.out = self.dir / "files", self.dir / "out"
        self.files.mkdir()
        self.environment = dict(os.environ, HOME=str(self.dir), no_proxy="*")
        for name in ("X509_CERT_DIR", "BEARER_TOKEN", "BEARER_TOKEN_FILE"):
            self.environment.pop(name, None)
        self.nginx, self.has_hosts = None, host == "127.0.0.1"
        self.piece = os.urandom(1024 * 1024)
        try:
            self.certificate()
            self.serve(host)
        except BaseException:
            self.close()
            raise

    def certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", self.dir / "host.key", "-out", self.dir / "host.pem"], check=True, stderr=subprocess.DEVNULL)

    def serve(self, host):
        conf, log = self.dir / "nginx.conf", "off"
        if {"hundred-thousand", "many-hosts"} & set(self.options.cases):
            log = f"{self.dir}/times.log times buffer=64k flush=1s"
        listen = "".join(f"listen {address}:{HTTP}; " for address in [host, *(HOSTS if self.has_hosts else [])])
        conf.write_text(CONF.format(dir=self.dir, https=HTTPS, host=host, listen=listen, log=log))
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        self.nginx = subprocess.Popen([program, "-p", self.dir, "-c", conf], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        if self.nginx.poll() is not None:
            raise SystemExit("nginx does not start: " + (self.dir / "error.log").read_text())

    def big(self, mebibytes):
        """A file of so many MiB; gives its name."""
        path = self.files / f"big{mebibytes}"
        if not path.exists():
            with open(path, "wb") as file:
                for _ in range(mebibytes):
                    file.write(self.piece)
        return path

    def small(self, count, length):
        """A directory of that many small files; gives its name."""
        directory = self.files / f"small{length}"
        directory.mkdir(exist_ok=True)
        for n in range(count):
            path = directory / f"f{n}"
            if not path.exists():
                path.write_bytes(self.piece[:length])
        return directory.name

    def url(self, name, scheme="http"):
        return f"{scheme}://{self.host}:{HTTP if scheme == 'http' else HTTPS}/{name}"

    def fresh(self, where):
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)

    def close(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def measure(self, name, commands, gigabytes, out=None, rounds=None, check=None):
        """Runs all commands in turn, some rounds long."""
        out = out or self.out
        rows = {tool: [] for tool, command in commands.items() if shutil.which(str(command[0]))}
        for _ in range(rounds or self.options.rounds):
            for tool in rows:
                self.fresh(out)
                rows[tool].append(run([str(part) for part in commands[tool]], self.environment))
                if check:
                    check(tool, out)
        shutil.rmtree(out, ignore_errors=True)
        medians = {tool: [statistics.median(column) for column in zip(*took)] for tool, took in rows.items()}
        case = report.Case(name, gigabytes, medians)
        print(case.markdown(), flush=True)
        return case


def one_file(lab, url, out, streams=1, checksum="auto"):
    """The command line of each tool for one file."""
    ca = lab.dir / "host.pem"
    return {
        "scitoken": [lab.options.scitoken, "get", "-q", "--no-auth", "--cacert", ca, "-x", streams, "--checksum", checksum,
                     "-o", out / "f", url],
        "curl": ["curl", "-sS", "--cacert", ca, "-o", out / "f", url],
        "aria2c": ["aria2c", "-q", "--ca-certificate", ca, f"-x{streams}", f"-s{streams}", "-d", out, "-o", "f", url],
        "wget": ["wget", "-q", "--ca-certificate", ca, "-O", out / "f", url],
        "davix-get": ["davix-get", "--insecure", url, out / "f"],
    }


def limit(lab, name, out):
    return {"limit": [lab.options.limit, f"{lab.host}:{HTTP}", f"/{name}", out / "f"]}


def big(lab, what, out, scheme="http", **more):
    """One big file, compared with the original after each run."""
    file = lab.big(lab.options.size)
    commands = one_file(lab, lab.url(file.name, scheme), out)
    if scheme == "http":
        commands = {**limit(lab, file.name, out), **commands}
    commands |= more
    return lab.measure(f"{lab.options.size} MiB, {what}", commands, lab.options.size / 1024, out, check=lambda tool, at:
                       subprocess.run(["cmp", file, at / "f"], check=True))


def to_disk(lab):
    out = Path(lab.options.disk) / f"scitoken-bench-{os.getpid()}"
    file = lab.big(lab.options.size)
    synced = {"curl, sync": ["sh", "-c", 'curl -sS -o "$1" "$2" && sync -d "$1"', "sh", out / "f", lab.url(file.name)]}
    try:
        return big(lab, "http, to a disk", out, **synced)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def verified(lab, algorithm):
    file = lab.big(lab.options.size)
    content = one_file(lab, lab.url(file.name), lab.out)
    wanted = f"{algorithm}:{checksum(lab, file, algorithm)}"
    commands = {
        f"scitoken, {algorithm}": one_file(lab, lab.url(file.name), lab.out, checksum=wanted)["scitoken"],
        "scitoken, none": content["scitoken"],
        "curl": content["curl"],
    }
    if algorithm == "sha-256":
        commands["curl, sha256sum"] = ["sh", "-c", 'curl -sS -o "$1" "$2" && sha256sum "$1"', "sh", lab.out / "f",
                                       lab.url(file.name)]
    return lab.measure(f"{lab.options.size} MiB, http, {algorithm}", commands, lab.options.size / 1024)


def checksum(lab, path, algorithm):
    if algorithm == "crc32c":
        # Python has none. Asked for a wrong value, scitoken says which one the data has.
        lab.fresh(lab.out)
        command = one_file(lab, lab.url(path.name), lab.out, checksum="crc32c:00000000")["scitoken"]
        told = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False).stderr
        return told.split("the data has crc32c:")[1][:8]
    adler, sha = 1, hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            if algorithm == "adler32":
                adler = zlib.adler32(piece, adler)
            else:
                sha.update(piece)
    return f"{adler:08x}" if algorithm == "adler32" else sha.hexdigest()


def many(lab, count, at_once):
    where = lab.small(count, 20 * 1024)
    names = [f"f{n}" for n in range(count)]
    listed, config = lab.dir / "list", lab.dir / "curl.conf"
    listed.write_text("".join(f"{lab.url(where)}/{name}\n" for name in names))
    config.write_text("".join(f'url = "{lab.url(where)}/{name}"\noutput = "{lab.out}/{name}"\n' for name in names))

    def check(tool, out):
        if len(os.listdir(out)) != count:
            raise SystemExit(f"{tool} brought {len(os.listdir(out))} of {count} files")

    commands = {
        "scitoken": [lab.options.scitoken, "get", "-q", "--no-auth", "-i", listed, "-P", lab.out, "-j", at_once],
        "curl": ["curl", "-sS", "--no-progress-meter", "--parallel", "--parallel-max", at_once, "-K", config],
        "aria2c": ["aria2c", "-q", f"-j{at_once}", "-d", lab.out, "-i", listed],
        "wget": ["wget", "-q", "-P", lab.out, "-i", listed],
    }
    return lab.measure(f"{count:,} files of 20 KiB, {at_once} at once", commands, count * 20 / 1024 / 1024, check=check)


def small(lab, scheme):
    where = lab.small(1, 20 * 1024)
    commands = one_file(lab, lab.url(f"{where}/f0", scheme), lab.out)
    rounds = lab.options.rounds * 5
    return lab.measure(f"one file of 20 KiB, {scheme}", commands, 20 / 1024 / 1024, rounds=rounds)


def hundred_thousand(lab, hosts, at_once):
    """The rates of the quarters, from the times that nginx writes down, and the memory."""
    count = 100_000
    where, listed, times = lab.small(count, 1024), lab.dir / "list", lab.dir / "times.log"
    listed.write_text("".join(f"http://{hosts[n % len(hosts)]}:{HTTP}/{where}/f{n}\n" for n in range(count)))
    lab.fresh(lab.out)
    times.write_text("")
    command = [lab.options.scitoken, "get", "-q", "--no-auth", "-i", listed, "-P", lab.out, "-j", at_once]
    wall, cpu, peak, resident = watched([str(part) for part in command], lab.environment)
    if len(os.listdir(lab.out)) != count:
        raise SystemExit(f"{len(os.listdir(lab.out))} of {count} files came")
    time.sleep(1.5)
    seen = sorted(float(line) for line in times.read_text().split())
    quarters = [seen[(n + 1) * len(seen) // 4 - 1] - seen[n * len(seen) // 4] for n in range(4)]
    shown = ", ".join(f"{quarter:.2f} s" for quarter in quarters)
    quarter = max(1, len(resident) // 4)
    early, late = (statistics.median(part) for part in (resident[quarter:2 * quarter], resident[-quarter:]))
    text = (f"100,000 files of 1 KiB from {len(hosts)} host{'s' * (len(hosts) > 1)}, {at_once} at once: {wall:.1f} s "
            f"({count / wall:,.0f} files a second), CPU {cpu:.1f} s, peak {peak:.0f} MiB ({early:.0f} in the second quarter, "
            f"{late:.0f} in the last); the quarters took {shown}: the last one {quarters[3] / quarters[0]:.2f} of the first.")
    print(text, flush=True)
    return text


def delayed(options):
    """Within the namespace of benches/download/link.py."""
    lab = Lab(options, link.SERVER, link.SEEN_AS)
    try:
        size = min(options.size, 256)
        file = lab.big(size)
        commands = one_file(lab, lab.url(file.name), lab.out, streams=8)
        plain = one_file(lab, lab.url(file.name), lab.out)
        commands = {"scitoken -x 8": commands["scitoken"], "scitoken -x 1": plain["scitoken"], "curl": plain["curl"],
                    "aria2c -x8": commands["aria2c"], "wget": plain["wget"]}
        return [lab.measure(f"{size} MiB over a link of {DELAY} ms", commands, size / 1024)]
    finally:
        lab.close()


def heading(options):
    today = datetime.date.today().isoformat()
    system = "this system"
    release = Path("/etc/os-release")
    if release.exists():
        words = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
        system = f"{words.get('NAME', '').strip(chr(34)).split()[0]} {words.get('VERSION_ID', '').strip(chr(34))}"
    return f"{today}, {os.cpu_count()} shared cores, {system} {platform.machine()}, medians of {options.rounds} rounds"


def delay_elsewhere(options):
    """The case `delay` in a namespace; its measurements come back as lines of JSON."""
    command = [sys.executable, HERE / "download" / "link.py", options.link, str(DELAY), sys.executable, __file__, "--inside",
               "--scitoken", options.scitoken, "--rounds", str(options.rounds), "--size", str(options.size),
               "--memory", options.memory, "delay"]
    told = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if told.returncode != 0:
        print("the case `delay` needs root and /dev/net/tun; it is left out", file=sys.stderr)
        return []
    cases = []
    for line in told.stdout.splitlines():
        if line.startswith("case: "):
            cases.append(report.Case(**json.loads(line.removeprefix("case: "))))
        else:
            print(line)
    return cases


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scitoken", default="target/release/scitoken")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2048, help="MiB of the big file")
    parser.add_argument("--files", type=int, default=5000, help="of the case `many`")
    parser.add_argument("--memory", default="/dev/shm", help="a directory in memory, with space for twice the big file")
    parser.add_argument("--disk", default=tempfile.gettempdir(), help="a directory on the disk that is measured")
    parser.add_argument("--write", action="store_true", help="write the table of docs/benchmarks.md and docs/download-speed.svg")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"there is no case `{unknown.pop()}`; there are {', '.join(CASES)}")
    options.scitoken = str(Path(options.scitoken).resolve())
    options.cases = options.cases or USUAL
    return options


def main():
    options = options_of(sys.argv[1:])
    if options.inside:
        for case in delayed(options):
            print("case:", json.dumps({"name": case.name, "gigabytes": case.gigabytes, "medians": case.medians}))
        return
    with tempfile.TemporaryDirectory() as built:
        options.limit, options.link = f"{built}/limit", f"{built}/link"
        for name in ("limit", "link"):
            source = HERE / "download" / f"{name}.rs"
            subprocess.run(["rustc", "-O", "--edition", "2024", "-o", f"{built}/{name}", source], check=True)
        lab = Lab(options)
        cases, texts = [], []
        try:
            for name in options.cases:
                match name:
                    case "http" | "https":
                        cases.append(big(lab, name, lab.out, name))
                    case "disk":
                        cases.append(to_disk(lab))
                    case "adler32" | "crc32c" | "sha-256":
                        cases.append(verified(lab, name))
                    case "many":
                        cases += [many(lab, options.files, at_once) for at_once in (16, 4)]
                    case "thousands":
                        cases.append(many(lab, 2000, 16))
                    case "small":
                        cases += [small(lab, "http"), small(lab, "https")]
                    case "delay":
                        cases += delay_elsewhere(options)
                    case "hundred-thousand":
                        texts.append(hundred_thousand(lab, [lab.host], 16))
                    case "many-hosts":
                        texts.append(hundred_thousand(lab, HOSTS, 64))
        finally:
            lab.close()
    if options.write:
        root = HERE.parents[2]
        text = report.table(cases, f"{heading(options)}; `x` is against curl:") + "".join(f"\n{text}\n" for text in texts)
        report.replace_between(root / "docs" / "benchmarks.md", "<!-- download-speed -->", "<!-- /download-speed -->", text)
        (root / "docs" / "download-speed.svg").write_text(report.picture(cases, heading(options)))


if __name__ == "__main__":
    main()

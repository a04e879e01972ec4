#!/usr/bin/env python3
"""scitoken, curl, aria2c and wget download the same files from the same nginx, in turn.

usage: benches/download.py [--scitoken PROGRAM] [--rounds N] [--size MIB] [--files N] [--svg FILE] [CASE...]

Cases: http, https, checksum, many, delay. A tool that is not installed is left out. The case `delay` needs the right to
make a network namespace. Only the ratios count: every machine has other discs, and its neighbours.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HTTP, HTTPS = 18461, 18462
CONF = """daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  server {{ listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl; root {dir}/files;
    ssl_certificate {dir}/host.pem; ssl_certificate_key {dir}/host.key; }}
}}
"""


def run(command, environment):
    """Runs one command and gives wall seconds, CPU seconds and peak memory in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status != 0:
        raise SystemExit(f"{command[0]} failed: {told.decode(errors='replace')[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Lab:
    def __init__(self, options):
        self.options = options
        self.dir = Path(tempfile.mkdtemp(prefix="scitoken-bench-", dir=options.dir))
        self.out = self.dir / "out"
        self.files = self.dir / "files"
        self.files.mkdir()
        self.environment = dict(os.environ, HOME=str(self.dir), no_proxy="127.0.0.1", X509_CERT_DIR=str(self.dir / "ca"))
        self.certificate()
        self.content()
        conf = self.dir / "nginx.conf"
        conf.write_text(CONF.format(dir=self.dir, http=HTTP, https=HTTPS))
        self.nginx = subprocess.Popen(["nginx", "-p", str(self.dir), "-c", str(conf)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def certificate(self):
        names = "subjectAltName=IP:127.0.0.1"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=bench", "-addext", names, "-keyout", self.dir / "host.key", "-out", self.dir / "host.pem"],
            check=True, stderr=subprocess.DEVNULL)
        (self.dir / "ca").mkdir()
        shutil.copy(self.dir / "host.pem", self.dir / "ca" / "bench.pem")

    def content(self):
        piece = os.urandom(1024 * 1024)
        with open(self.files / "big", "wb") as big:
            for _ in range(self.options.size):
                big.write(piece)
        with open(self.files / "medium", "wb") as medium:
            for _ in range(min(self.options.size, 256)):
                medium.write(piece)
        small = self.files / "small"
        small.mkdir()
        for n in range(self.options.files):
            (small / f"f{n}").write_bytes(piece[:20 * 1024])

    def fresh(self):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def close(self):
        self.nginx.terminate()
        self.nginx.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def one_file(lab, url, streams=1, checksum="auto"):
    """The command line of each tool for one file."""
    ca, out, scitoken = lab.dir / "host.pem", lab.out, lab.options.scitoken
    return {
        "scitoken": [scitoken, "get", "-q", "--no-auth", "--cacert", ca, "-x", str(streams), "--checksum", checksum,
                     "-o", out / "f", url],
        "curl": ["curl", "-sS", "--cacert", ca, "-o", out / "f", url],
        "aria2c": ["aria2c", "-q", "--ca-certificate", ca, f"-x{streams}", f"-s{streams}", "-d", out, "-o", "f", url],
        "wget": ["wget", "-q", "--ca-certificate", ca, "-O", out / "f", url],
    }


def many_files(lab):
    url = f"http://127.0.0.1:{HTTP}/small"
    names = [f"f{n}" for n in range(lab.options.files)]
    listed = lab.dir / "list"
    listed.write_text("".join(f"{url}/{name}\n" for name in names))
    config = lab.dir / "curl.conf"
    config.write_text("".join(f'url = "{url}/{name}"\noutput = "{lab.out}/{name}"\n' for name in names))
    return {
        "scitoken": [lab.options.scitoken, "get", "-q", "--no-auth", "-i", listed, "-P", lab.out, "-j", "16"],
        "curl": ["curl", "-sS", "--parallel", "--parallel-max", "16", "-K", config],
        "aria2c": ["aria2c", "-q", "-j16", "-d", lab.out, "-i", listed],
        "wget": ["wget", "-q", "-P", lab.out, "-i", listed],
    }


def measure(lab, name, commands, gigabytes):
    rows = {tool: [] for tool in commands if shutil.which(str(commands[tool][0]))}
    for _ in range(lab.options.rounds):
        for tool in rows:
            lab.fresh()
            rows[tool].append(run([str(part) for part in commands[tool]], lab.environment))
    medians = {tool: [statistics.median(column) for column in zip(*measured)] for tool, measured in rows.items()}
    wall, cpu, _ = medians["curl"] if "curl" in medians else medians["scitoken"]
    print(f"\n### {name}\n\n| tool | wall s | x | CPU s | CPU s/GB | x | peak MiB |\n|---|---|---|---|---|---|---|")
    for tool, (w, c, m) in medians.items():
        print(f"| {tool} | {w:.2f} | {w / wall:.2f} | {c:.2f} | {c / gigabytes:.2f} | {c / cpu:.2f} | {m:.0f} |")
    sys.stdout.flush()
    return name, medians


def delayed(lab):
    """One file over a link of 50 ms, in a namespace of its own, where this script runs once more."""
    if os.environ.get("SCITOKEN_BENCH_INSIDE") is None and shutil.which("unshare") is None:
        return None
    url = f"http://127.0.0.1:{HTTP}/medium"
    return measure(lab, "one file over 50 ms", one_file(lab, url, streams=8), min(lab.options.size, 256) / 1024)


def picture(path, results):
    """Bars of wall time beside curl's, one group a case."""
    colours = {"scitoken": "#2b6cb0", "curl": "#a0aec0", "aria2c": "#cbd5e0", "wget": "#e2e8f0"}
    bars, y = [], 40
    for name, medians in results:
        bars.append(f'<text x="10" y="{y}" font-weight="bold">{name}</text>')
        y += 8
        base = medians.get("curl", medians["scitoken"])[0]
        for tool, (wall, cpu, _) in medians.items():
            width = min(wall / base, 3.0) * 160
            bars.append(f'<rect x="90" y="{y}" width="{width:.0f}" height="14" fill="{colours[tool]}"/>'
                        f'<text x="84" y="{y + 11}" text-anchor="end">{tool}</text>'
                        f'<text x="{96 + width:.0f}" y="{y + 11}">{wall:.2f} s, CPU {cpu:.2f} s</text>')
            y += 18
        y += 22
    body = "\n".join(bars)
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n<text x="10" y="18">Wall time, shorter is better</text>\n{body}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scitoken", default="target/release/scitoken")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2048, help="MiB of the big file")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--dir", default=None, help="where to work; the disc that is measured")
    parser.add_argument("--svg")
    parser.add_argument("cases", nargs="*", default=[])
    options = parser.parse_args()
    options.scitoken = str(Path(options.scitoken).resolve())
    cases = options.cases or ["http", "https", "checksum", "many", "delay"]
    inside = os.environ.get("SCITOKEN_BENCH_INSIDE")
    if "delay" in cases and inside is None and len(cases) > 1:
        cases.remove("delay")
        print("the case `delay` runs by itself: benches/download.py delay", file=sys.stderr)
    elif cases == ["delay"] and inside is None:
        setup = "ip link set lo up && tc qdisc add dev lo root netem delay 25ms limit 100000 && exec \"$@\""
        os.environ["SCITOKEN_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", setup, "sh", sys.executable, *sys.argv])
    lab = Lab(options)
    results = []
    try:
        gigabytes = options.size / 1024
        if "http" in cases:
            results.append(measure(lab, f"one file of {options.size} MiB, http",
                                   one_file(lab, f"http://127.0.0.1:{HTTP}/big"), gigabytes))
        if "https" in cases:
            results.append(measure(lab, f"one file of {options.size} MiB, https",
                                   one_file(lab, f"https://127.0.0.1:{HTTPS}/big"), gigabytes))
        if "checksum" in cases:
            for algorithm, value in checksums(lab):
                url = f"http://127.0.0.1:{HTTP}/big"
                commands = one_file(lab, url, checksum=f"{algorithm}:{value}")
                plain = one_file(lab, url)
                commands = {"scitoken": commands["scitoken"], "curl": plain["curl"]}
                results.append(measure(lab, f"the same, verified by {algorithm} (curl: not verified)", commands, gigabytes))
        if "many" in cases:
            results.append(measure(lab, f"{options.files} files of 20 KiB, 16 at once", many_files(lab),
                                   options.files * 20 / 1024 / 1024))
        if "delay" in cases:
            results.append(delayed(lab))
    finally:
        lab.close()
    if options.svg:
        picture(options.svg, [result for result in results if result])


def checksums(lab):
    import hashlib
    import zlib
    adler, sha = 1, hashlib.sha256()
    with open(lab.files / "big", "rb") as big:
        while piece := big.read(1 << 20):
            adler = zlib.adler32(piece, adler)
            sha.update(piece)
    return [("adler32", f"{adler:08x}"), ("sha-256", sha.hexdigest())]


if __name__ == "__main__":
    main()

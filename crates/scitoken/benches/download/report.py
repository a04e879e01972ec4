"""What was measured, as Markdown and as a picture."""

import html
import re
from pathlib import Path

COLOURS = {"scitoken": "#2b6cb0", "limit": "#dd6b20"}
OTHERS = "#a0aec0"
# Bars longer than this many times curl's are cut off.
LONGEST = 3.0


class Case:
    """One work and, for each tool, the medians: wall seconds, CPU seconds, peak MiB."""

    def __init__(self, name, gigabytes, medians, base="curl"):
        self.name, self.gigabytes, self.medians = name, gigabytes, medians
        self.base = base if base in medians else next(iter(medians))

    def rows(self):
        wall, cpu, _ = self.medians[self.base]
        for tool, (w, c, m) in self.medians.items():
            yield tool, w, w / wall, c / self.gigabytes, c / cpu, m

    def markdown(self):
        lines = ["| | wall s | x | CPU s/GB | x | peak MiB |", "|---|---|---|---|---|---|"]
        for tool, wall, wall_x, cpu, cpu_x, peak in self.rows():
            name = f"**{tool}**" if tool.startswith("scitoken") else tool
            lines.append(f"| {name} | {wall:.2f} | {wall_x:.2f} | {cpu:.2f} | {cpu_x:.2f} | {peak:.0f} |")
        return f"**{self.name}**\n\n" + "\n".join(lines) + "\n"


def table(cases, heading):
    """One table for all cases, a row for each tool in each."""
    lines = [heading, "", "| | | wall s | x curl | CPU s/GB | x curl | peak MiB |", "|---|---|---|---|---|---|---|"]
    for case in cases:
        title = case.name
        for tool, wall, wall_x, cpu, cpu_x, peak in case.rows():
            name = f"**{tool}**" if tool.startswith("scitoken") else tool
            lines.append(f"| {title} | {name} | {wall:.2f} | {wall_x:.2f} | {cpu:.2f} | {cpu_x:.2f} | {peak:.0f} |")
            title = ""
    return "\n".join(lines) + "\n"


def replace_between(path, begin, end, text):
    path = Path(path)
    old = path.read_text()
    if begin not in old or end not in old:
        raise SystemExit(f"`{path}` has no `{begin}` and `{end}`")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    path.write_text(pattern.sub(lambda _: f"{begin}\n{text}{end}", old))


def picture(cases, heading):
    """Bars of wall and CPU time as ratios to curl's, a group for each case."""
    left, unit, gap, second = 150, 78, 18, 470
    parts, y = [], 62
    for case in cases:
        parts.append(f'<text x="12" y="{y}" font-weight="600">{html.escape(case.name)}</text>')
        y += 9
        for tool, wall, wall_x, _, cpu_x, _ in case.rows():
            colour = COLOURS.get(tool.split()[0], OTHERS)
            parts.append(f'<text x="{left - 8}" y="{y + 11}" text-anchor="end" fill="#4a5568">{html.escape(tool)}</text>')
            for x, ratio, shown in ((left, wall_x, f"{wall_x:.2f} ({wall:.2f} s)"), (second, cpu_x, f"{cpu_x:.2f}")):
                width = max(1, round(min(ratio, LONGEST) * unit))
                parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="13" rx="2" fill="{colour}"/>'
                             f'<text x="{x + width + 5}" y="{y + 11}" fill="#4a5568">{shown}</text>')
            y += gap
        y += 20
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {y}" width="800" height="{y}" '
            'font-family="system-ui, sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="12" y="20" font-size="14" font-weight="600">{html.escape(heading)}</text>\n'
            f'<text x="{left}" y="40" fill="#4a5568">wall time, curl = 1</text>'
            f'<text x="{second}" y="40" fill="#4a5568">CPU time, curl = 1 (shorter is better)</text>\n{body}\n</svg>\n')

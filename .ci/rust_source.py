"""Reads Rust source files closely enough for the checks in this directory: no parser, only text.

`code(text)` blanks comments, strings and everything that is compiled for tests alone, and keeps every line number.
`Crate(root)` is the tree of modules below one `lib.rs` or `main.rs`, with the items and imports of each.
"""

import os
import re

_RAW = re.compile(r'(?:b|c)?r(#*)"')
_CHAR = re.compile(r"b?'(?:\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'\n])'")


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def strip(text):
    """Replaces comments and the contents of strings and characters by blanks."""
    out, i, n = [], 0, len(text)
    while i < n:
        two = text[i : i + 2]
        if two == "//":
            end = text.find("\n", i)
            end = n if end < 0 else end
            out.append(_blank(text[i:end]))
        elif two == "/*":
            depth, end = 1, i + 2
            while depth and end < n:
                if text.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif text.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
            out.append(_blank(text[i:end]))
        elif text[i] == '"':
            end = i + 1
            while end < n and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            end += 1
            out.append('"' + _blank(text[i + 1 : end - 1]) + '"')
        elif (text[i] in "brc") and not (i and (text[i - 1].isalnum() or text[i - 1] == "_")) and (
            raw := _RAW.match(text, i)
        ):
            close = '"' + raw.group(1)
            end = text.find(close, raw.end())
            end = n if end < 0 else end + len(close)
            out.append('"' + _blank(text[i + 1 : end - 1]) + '"')
        elif text[i] in "'b" and (char := _CHAR.match(text, i)):
            end = char.end()
            out.append(_blank(text[i:end]))
        else:
            end = i + 1
            out.append(text[i])
        i = end
    return "".join(out)


_ATTRIBUTE = re.compile(r"#!?\[")
_TEST = re.compile(r"#\[\s*cfg\s*\(\s*(?:test\s*\)|all\s*\(\s*test\b|any\s*\(\s*test\b)|#\[\s*(?:tokio\s*::\s*)?test\b")


def _end_of(text, start, opening, closing):
    """The index behind the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if not depth:
                return i + 1
    return len(text)


def _end_of_item(text, start):
    """The index behind the item that begins at `start`: its `;`, or its block."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "([":
            depth += 1
        elif text[i] in ")]":
            depth -= 1
        elif text[i] == "{":
            end = _end_of(text, i, "{", "}")
            # `use a::{b};` and `const A: T = T { .. };` go on behind the block
            rest = re.compile(r"\s*[;,]").match(text, end)
            return rest.end() if rest else end
        elif not depth and text[i] in ";,":
            return i + 1
    return len(text)


def code(text):
    """`strip`, without items under `#[cfg(test)]` and `#[test]`."""
    text = strip(text)
    if re.search(r"#!\[\s*cfg\s*\(\s*test\s*\)", text):
        return _blank(text)
    out, i = [], 0
    while test := _TEST.search(text, i):
        out.append(text[i : test.start()])
        at = _end_of(text, test.start() + 1, "[", "]")
        while more := re.compile(r"\s*#\[").match(text, at):  # further attributes of the same item
            at = _end_of(text, more.end() - 1, "[", "]")
        end = _end_of_item(text, at)
        out.append(_blank(text[test.start() : end]))
        i = end
    out.append(text[i:])
    return "".join(out)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


_USE = re.compile(r"(?P<vis>\bpub\s*(?:\([^)]*\)\s*)?)?\buse\s+(?P<tree>[^;]+);")
_ITEM = re.compile(
    r"\b(?:fn|struct|enum|union|trait|type|const|static|macro_rules\s*!)\s+(?:mut\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
)
_MOD = re.compile(r"\bmod\s+(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<end>[;{])")


def _leaves(tree, prefix=()):
    """Yields (path, name) for each name that a `use` tree brings; `name` is None for a glob."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace >= 0 and tree.endswith("}"):
        head = [part.strip() for part in tree[:brace].split("::") if part.strip()]
        depth, begin, body = 0, 0, tree[brace + 1 : -1]
        for i, char in enumerate(body + ","):
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
            elif char == "," and not depth:
                if body[begin:i].strip():
                    yield from _leaves(body[begin:i], prefix + tuple(head))
                begin = i + 1
        return
    path, _, alias = tree.partition(" as ")
    parts = prefix + tuple(part.strip() for part in path.split("::") if part.strip())
    if not parts:
        return
    if parts[-1] == "*":
        yield parts[:-1], None
    elif parts[-1] == "self" and len(parts) > 1:
        yield parts[:-1], alias.strip() or parts[-2]
    else:
        yield parts, alias.strip() or parts[-1]


class Module:
    """One file, with the inline modules in it."""

    def __init__(self, path, file, text):
        self.path, self.file, self.text = path, file, text
        self.children, self.items, self.imports, self.globs, self.uses = set(), set(), {}, [], []


class Crate:
    def __init__(self, root):
        self.modules = {}
        self._load((), root, os.path.dirname(root))

    def _load(self, path, file, folder):
        text = code(read(file))
        module = self.modules[path] = Module(path, file, text)
        flat = self._top_level(text)
        for found in _MOD.finditer(flat):
            name = found["name"]
            if found["end"] == "{":
                module.items.add(name)
                continue
            attribute = re.search(r"#\[\s*path\s*=[^\]]*\]\s*(?:pub\s*(?:\([^)]*\))?\s*)?$", flat[: found.start()])
            for candidate in (os.path.join(folder, name + ".rs"), os.path.join(folder, name, "mod.rs")):
                if os.path.exists(candidate) and not attribute:
                    module.children.add(name)
                    self._load(path + (name,), candidate, os.path.join(folder, name))
                    break
        module.items.update(found["name"] for found in _ITEM.finditer(flat))
        # all of them, also those in functions; only those at the top are names that others can reach
        for found in _USE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            top = not flat[found.start() : found.end()].isspace()
            for target, name in _leaves(found["tree"]):
                module.uses.append((target, name, bool(found["vis"]), line))
                if name is None and top:
                    module.globs.append(target)
                elif name is not None:
                    module.imports.setdefault(name, target)

    @staticmethod
    def _top_level(text):
        """The text without what stands in blocks, but with the braces of `use` trees."""
        out, depth, i = [], 0, 0
        while i < len(text):
            if not depth and (use := _USE.match(text, i)):
                out.append(text[i : use.end()])
                i = use.end()
                continue
            char = text[i]
            if char == "{":
                out.append(char if not depth else " ")
                depth += 1
            elif char == "}":
                depth = max(0, depth - 1)
                out.append(char if not depth else " ")
            else:
                out.append(char if not depth or char == "\n" else " ")
            i += 1
        return "".join(out)

    def resolve(self, module, target, seen=()):
        """The module that defines what `target`, written in `module`, names, or None for another crate.

        Returns (path of the module, is the module itself meant).
        """
        if not target or (module, target) in seen or len(seen) > 40:
            return None
        seen += ((module, target),)
        first, rest = target[0], target[1:]
        if first == "crate":
            return self._walk((), rest, seen)
        if first == "self":
            return self._walk(module, rest, seen)
        if first == "super":
            return self._walk(module[:-1], rest, seen) if module else None
        return self._walk(module, target, seen, relative=True)

    def _walk(self, at, rest, seen, relative=False):
        while rest and rest[0] == "super":
            if not at:
                return None
            at, rest = at[:-1], rest[1:]
        if not rest:
            return at, True
        here = self.modules[at]
        name = rest[0]
        if name in here.children:
            return self._walk(at + (name,), rest[1:], seen)
        if name in here.items:
            return at, False
        if name in here.imports and here.imports[name] != (name,):
            return self.resolve(at, here.imports[name] + rest[1:], seen)
        for glob in here.globs:
            found = self.resolve(at, glob, seen)
            if found and found[1] and found[0] != at and self.defines(found[0], name, seen):
                return self._walk(found[0], rest, seen)
        return None if relative else (at, False)

    def defines(self, at, name, seen):
        here = self.modules[at]
        return name in here.children or name in here.items or name in here.imports or any(
            (found := self.resolve(at, glob, seen)) and found[1] and found[0] != at and self.defines(found[0], name, seen)
            for glob in here.globs
        )


def roots(package):
    """The `lib.rs` and `main.rs` of a package directory."""
    for name in ("lib.rs", "main.rs"):
        root = os.path.join(package, "src", name)
        if os.path.exists(root):
            yield root


def packages(top):
    """The directories of the workspace's packages."""
    yield top
    crates = os.path.join(top, "crates")
    for name in sorted(os.listdir(crates)):
        if os.path.exists(os.path.join(crates, name, "Cargo.toml")):
            yield os.path.join(crates, name)

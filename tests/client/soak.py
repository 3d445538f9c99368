"""Ten thousand edits of a chart, half-written half of the time, as a person would type them.

    THEBOT_LINT=target/debug/thebot-lint python3 tests/client/soak.py [EDITS]

Prints how the memory of the server grows, and fails if the server dies, answers a request with an internal error, or has
other findings at the end than at the beginning.
"""

import json
import os
import pathlib
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = pathlib.Path(os.environ.get("THEBOT_LINT", ROOT / "target/debug/thebot-lint")).resolve()
EDITS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
FILES = ["values.yaml", "templates/backend-deployment.yaml", "templates/_helpers.tpl", "Chart.yaml"]
TYPED = [
    "{{ .Values.",
    "{{ if .Values.backend }}\n",
    "{{- range $k, $v := .Values.x }}",
    "{{ end }}\n",
    "{{ include \"thebot.",
    "a: [\n",
    "  b: {c: \n",
    "- x\n",
    "\"",
    "  ",
    "key: value\n",
    "# 😀 comment\n",
    "---\n",
    "}}",
]
REQUESTS = ["hover", "completion", "definition", "references", "documentSymbol", "foldingRange", "semanticTokens/full"]


class Server:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.messages, self.next = queue.Queue(), 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while head := self.process.stdout.readline():
            length = 0
            while head.strip():
                name, _, value = head.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                head = self.process.stdout.readline()
            self.messages.put(json.loads(self.process.stdout.read(length)))

    def send(self, method, params, **more):
        text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self.process.stdin.flush()

    def request(self, method, params):
        self.next += 1
        self.send(method, params, id=self.next)
        while True:
            message = self.messages.get(timeout=300)
            if message.get("method") == "textDocument/publishDiagnostics":
                FOUND[message["params"]["uri"]] = (message["params"].get("version"), message["params"]["diagnostics"])
            if message.get("method") == "window/logMessage":
                raise SystemExit(f"the server says: {message}")
            if message.get("id") == self.next and "method" not in message:
                code = message.get("error", {}).get("code")
                if code == -32603:
                    raise SystemExit(f"{method}: {message}")
                return message.get("result")

    def memory(self, field):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(field + ":")[1].split()[0]) // 1024


FOUND = {}


def main():
    random.seed(1)
    folder = pathlib.Path(tempfile.mkdtemp())
    chart = pathlib.Path(shutil.copytree(ROOT / "charts/thebot", folder / "thebot"))
    server = Server()
    server.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    server.send("initialized", {})
    uris = {name: f"file://{chart / name}" for name in FILES}
    texts = {name: (chart / name).read_text() for name in FILES}
    originals, versions = dict(texts), {name: 1 for name in FILES}

    def change(name, text):
        versions[name] += 1
        document = {"uri": uris[name], "version": versions[name]}
        server.send("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        texts[name] = text

    def settled():
        # Renaming waits for the judgement of the newest text.
        rendered = {"command": "thebot-lint.rendered", "arguments": [{"uri": uris["values.yaml"], "environment": "default"}]}
        server.request("workspace/executeCommand", rendered)
        server.request("textDocument/hover", {"textDocument": {"uri": uris["values.yaml"]}, "position": {"line": 0, "character": 0}})
        return {name: [(d["code"], d["range"]["start"]["line"]) for d in FOUND.get(uris[name], (0, []))[1]] for name in FILES}

    for name in FILES:
        document = {"uri": uris[name], "languageId": "helm", "version": 1, "text": texts[name]}
        server.send("textDocument/didOpen", {"textDocument": document})
    before = settled()
    for i in range(EDITS):
        name = random.choice(FILES)
        if texts[name] != originals[name] and random.random() < 0.5:
            change(name, originals[name])
        else:
            at = random.randrange(len(texts[name]) + 1)
            cut = random.choice([0, 0, 0, 1, 5])
            change(name, texts[name][:at] + random.choice(TYPED) + texts[name][at + cut :])
        if i % 7 == 0:
            place = {"line": random.randrange(60), "character": random.randrange(20)}
            params = {"textDocument": {"uri": uris[name]}, "position": place, "context": {"includeDeclaration": True}}
            server.request(f"textDocument/{random.choice(REQUESTS)}", params)
        if i % 50 == 0:
            settled()
        if i % max(1, EDITS // 10) == 0:
            print(f"{i} edits: {server.memory('VmRSS')} MB, at most {server.memory('VmHWM')} MB", flush=True)
    for name in FILES:
        change(name, originals[name])
    after = settled()
    print(f"{EDITS} edits: {server.memory('VmRSS')} MB, at most {server.memory('VmHWM')} MB")
    server.request("shutdown", None)
    server.send("exit", None)
    shutil.rmtree(folder)
    if before != after:
        raise SystemExit(f"other findings: {before} {after}")


main()

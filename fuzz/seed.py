#!/usr/bin/env python3
"""Fills corpus/ with inputs for the fuzz targets (see invariants.rs), made from the repository's fixtures. Needs PyYAML."""
import pathlib
import yaml


def load(file):
    try:
        return yaml.safe_load(file.read_text())
    except yaml.YAMLError:
        return None  # PyYAML rejects some of them.


HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
BETWEEN = b"\x1e"


def put(target, parts, prefix=b""):
    data = prefix + BETWEEN.join(p if isinstance(p, bytes) else p.encode() for p in parts)
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if 0 < len(data) <= 8192:
        (folder / f"seed-{len(list(folder.glob('seed-*'))):04}").write_bytes(data)


def files(folder, suffixes=(".yaml", ".yml", ".json", ".tpl", ".txt")):
    found = sorted((ROOT / folder).rglob("*"))
    return [f for f in found if f.is_file() and f.suffix in suffixes and "target" not in f.parts]


texts = [f.read_bytes() for f in files("fixtures/yaml") + files("fixtures/render") + files("charts") + files("fixtures/kubernetes")]
texts += [row["text"].encode() for f in files("fixtures/yaml") for row in (load(f) or []) if isinstance(row, dict) and isinstance(row.get("text"), str)]
for text in texts:
    put("yaml", [text])
    put("to_yaml", [text])
for a, b in zip(texts, texts[1:]):
    for flag in ["a.b[0].c=1,d={x,y}", "a=null,b.c=true", 'a={"b": [1]}', r"a\.b=c\,d"]:
        put("values", [a[:2000], b[:2000], flag])

calls = {}
for file in files("fixtures/language"):
    table = load(file)
    for row in table["rows"][::6]:
        put("template", [row["template"], "\n".join({**table.get("also", {}), **row.get("also", {})}.values()), table["values"]])
for file in files("fixtures/functions"):
    rows = [row for row in load(file) or [] if isinstance(row, dict) and isinstance(row.get("call"), str)]
    put("template", ["\n".join("{{ " + row["call"] + " }}" for row in rows[:8]), "", "a: 1\n"])
for file in files("charts/thebot/templates", (".yaml",)):
    put("template", [file.read_bytes(), (ROOT / "charts/thebot/templates/_helpers.tpl").read_bytes(), "a: 1\n"])

for file in files("fixtures/kubernetes") + files("fixtures/rules"):
    put("crd", [file.read_bytes()])
    for document in file.read_text().split("\n- ")[1:12]:
        put("crd", [document])
manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: b}}\nspec: {containers: [{name: c, image: x, resources: {limits: {cpu: 1}}}]}\n"
for file in files("rules"):
    text = file.read_text().replace("id: ", "id: own-", 1)
    document = yaml.safe_load(text)
    put("rule", [text, manifest, document.get("deny") or "self.a == 1"])
for expression in ["self.a.exists(x, x > 1)", "self.name.matches('(a+)+')", "object.spec.replicas <= 5 && variables.v", "quantity('1Gi').isGreaterThan(quantity('1'))", "[1,2].map(x, x * 2).sum()"]:
    put("rule", ["id: own-a\ntitle: a\nseverity: error\nscope: object\nkinds: [Pod]\ndeny: \"true\"\nmessage: m {{object.metadata.name}}\nwhy: w\nfix: f\n", manifest, expression])

for file in list((ROOT / "fixtures").rglob(".thebot-lint.yaml")) + [ROOT / "charts/thebot/.thebot-lint.yaml"]:
    put("config", [file.read_bytes()])
put("config", ["kubernetes: '>=1.25'\nfail-on: warning\nenvironments:\n  default: false\n  dev: {values: [v.yaml], set: {a.b: '1'}, release: r, namespace: n, expect: {Deployment/*-b: {replicas: 1, autoscaling: [1, 2], requests: {cpu: 1}}}}\n"])
put("config", ["rules:\n  select: [recommended]\n  ignore: [a]\n  severity: {cpu-limits-missing: error}\n  parameters: {image-registry-untrusted: {allowed: [g]}}\nsuppress:\n  - {rule: r, object: S/*, container: c, environments: [d], reason: x}\nbaseline: b.json\n"])

for chart in sorted({f.parent for f in (ROOT / "fixtures").rglob("Chart.yaml")}):
    parts = [f"{f.relative_to(chart)}\n".encode() + f.read_bytes() for f in files(chart.relative_to(ROOT))]
    put("chart", parts)
    put("archive", [b"0a/" + part for part in parts], b"\x02")
schema = b'values.schema.json\n{"type": "object", "properties": {"a": {"$ref": "#/definitions/x"}}, "definitions": {"x": {"pattern": "^a+$", "allOf": [{"type": "string"}]}}}'
put("chart", [schema, b"values.yaml\na: aa\n"])
put("chart", [b".thebot-lint.yaml\nenvironments: {dev: {set: {a: 1}}}\n", b"templates/a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: {{ .Values.a }}}\n"])
put("archive", [b"0a/Chart.yaml\nname: a\nversion: 1.0.0\n", b"2a/link\n", b"0../x\ny", b"5a/folder\n", b"x\n30 path=a/templates/long.yaml\n"], b"\x02")
for file in ROOT.glob("fixtures/**/*.tgz"):
    put("archive", [file.read_bytes()], b"\x00")
put("lsp", [b"\x00\x00a: 2\n", b"\x01\x00{{ .Values.a }}", b"\x01\x01\x00\x02\x00\x04x: {{ include \"a\" . }}", b"\x01\x04\x00\x00\x05", b"\x03\x00rules: {ignore: [a]}\n", b"\x00\x02", b"\x00\x03"])
for i in range(9):
    put("lsp", [b"\x01\x00apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.a }}}\n", bytes([1, 4, i, 2, 20, 2, 25])])
for folder in sorted((HERE / "corpus").iterdir()):
    print(folder.name, len(list(folder.iterdir())))

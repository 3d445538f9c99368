"""A session of edits over charts/thebot with a real client (pytest-lsp). Run by tests/it/lsp.rs, or:

    pip install pytest-lsp && THEBOT_LINT=target/debug/thebot-lint pytest tests/client
"""

import asyncio
import os
import pathlib
import shutil

import pytest
import pytest_lsp
from lsprotocol import types as t
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

PROGRAM = os.path.abspath(os.environ.get("THEBOT_LINT", "target/debug/thebot-lint"))
CHART = pathlib.Path(__file__).parents[2] / "charts" / "thebot"
TEMPLATE = "templates/backend-deployment.yaml"


@pytest.fixture
def folder(tmp_path):
    return pathlib.Path(shutil.copytree(CHART, tmp_path / "thebot"))


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[PROGRAM, "lsp"]))
async def client(lsp_client: LanguageClient):
    # The server asks to be told of files that change on disk; they don't here.
    lsp_client.feature(t.CLIENT_REGISTER_CAPABILITY)(lambda _: None)
    params = t.InitializeParams(capabilities=client_capabilities("visual-studio-code"))
    await lsp_client.initialize_session(params)
    yield
    await lsp_client.shutdown_session()


class File:
    """An open file, edited as an editor does."""

    def __init__(self, client, folder, name):
        self.client, self.uri, self.version = client, (folder / name).as_uri(), 1
        self.text = (folder / name).read_text()
        item = t.TextDocumentItem(uri=self.uri, language_id="helm", version=1, text=self.text)
        client.text_document_did_open(t.DidOpenTextDocumentParams(text_document=item))

    def edit(self, old, new):
        start = self.text.index(old)
        at = t.Range(self.position(start), self.position(start + len(old)))
        self.text = self.text.replace(old, new, 1)
        self.version += 1
        change = t.TextDocumentContentChangePartial(range=at, text=new)
        which = t.VersionedTextDocumentIdentifier(uri=self.uri, version=self.version)
        self.client.text_document_did_change(t.DidChangeTextDocumentParams(text_document=which, content_changes=[change]))

    def position(self, offset):
        before = self.text[:offset].split("\n")
        return t.Position(line=len(before) - 1, character=len(before[-1].encode("utf-16-le")) // 2)

    @property
    def id(self):
        return t.TextDocumentIdentifier(uri=self.uri)

    def at(self, text, further=0):
        return {"text_document": self.id, "position": self.position(self.text.index(text) + further)}

    async def diagnostics(self, until):
        """What is published last; fails where `until` never holds."""
        for _ in range(600):
            found = self.client.diagnostics.get(self.uri)
            if found is not None and until(found):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.uri}: {self.client.diagnostics.get(self.uri)}")


def rules(found):
    return {d.code for d in found}


@pytest.mark.asyncio
async def test_diagnostics_both_ways(client, folder):
    template, values = File(client, folder, TEMPLATE), File(client, folder, "values-prod.yaml")
    await template.diagnostics(lambda found: not found)
    values.edit("minReplicas: 3", "minReplicas: -1")
    there = await values.diagnostics(lambda found: len(found) > 0)
    assert any("-1" in d.message for d in there), there
    assert any(d.related_information for d in there)
    values.edit("minReplicas: -1", "minReplicas: 3")
    await values.diagnostics(lambda found: not found)
    template.edit("kind: Deployment", "kind: Deployment\n{{ if .Values.")
    await template.diagnostics(lambda found: len(found) > 0)
    template.edit("\n{{ if .Values.", "")
    await template.diagnostics(lambda found: not found)


@pytest.mark.asyncio
async def test_chart_yaml_and_configuration(client, folder):
    chart, configuration = File(client, folder, "Chart.yaml"), File(client, folder, ".thebot-lint.yaml")
    await chart.diagnostics(lambda found: not found)
    chart.edit("version:", "versio:")
    await chart.diagnostics(lambda found: "chart-metadata" in rules(found))
    configuration.edit("fail-on", "fail-onn")
    await configuration.diagnostics(lambda found: "configuration-invalid" in rules(found))


@pytest.mark.asyncio
async def test_hover(client, folder):
    template = File(client, folder, TEMPLATE)
    for text, further, told in [
        (".Values.backend.replicas", 20, "values.yaml"),
        ("include", 2, "include"),
        ("thebot.labels", 3, "define"),
        ("containers:", 2, "list of Container"),
    ]:
        hover = await client.text_document_hover_async(t.HoverParams(**template.at(text, further)))
        assert hover is not None and told in hover.contents.value, (text, hover)


@pytest.mark.asyncio
async def test_definition_and_references(client, folder):
    template = File(client, folder, TEMPLATE)
    places = await client.text_document_definition_async(t.DefinitionParams(**template.at("thebot.labels", 3)))
    assert [p.uri.rsplit("/", 1)[1] for p in places] == ["_helpers.tpl"]
    context = t.ReferenceContext(include_declaration=True)
    places = await client.text_document_references_async(t.ReferenceParams(context=context, **template.at("thebot.labels", 3)))
    assert len(places) > 5


@pytest.mark.asyncio
async def test_symbols_and_hints(client, folder):
    template, values = File(client, folder, TEMPLATE), File(client, folder, "values.yaml")
    symbols = await client.text_document_document_symbol_async(t.DocumentSymbolParams(text_document=template.id))
    assert "Deployment" in [s.name for s in symbols]
    symbols = await client.text_document_document_symbol_async(t.DocumentSymbolParams(text_document=values.id))
    assert "backend" in [s.name for s in symbols]
    everything = t.Range(t.Position(0, 0), t.Position(9999, 0))
    hints = await client.text_document_inlay_hint_async(t.InlayHintParams(text_document=template.id, range=everything))
    assert hints


@pytest.mark.asyncio
async def test_rename(client, folder):
    helpers = File(client, folder, "templates/_helpers.tpl")
    at = helpers.at("thebot.fullname", 3)
    await client.text_document_prepare_rename_async(t.PrepareRenameParams(**at))
    edit = await client.text_document_rename_async(t.RenameParams(new_name="thebot.longname", **at))
    assert len(edit.document_changes) > 3


@pytest.mark.asyncio
async def test_completion(client, folder):
    template = File(client, folder, TEMPLATE)
    for typed, wanted in [("{{ .Values.backend.", "image"), ("{{ toY", "toYaml"), ('{{ include "', "thebot.fullname")]:
        template.edit("kind: Deployment", f"{typed}\nkind: Deployment")
        items = await client.text_document_completion_async(t.CompletionParams(**template.at(f"{typed}\nkind: Deployment", len(typed))))
        items = items if isinstance(items, list) else items.items
        assert wanted in [i.label for i in items], typed
        template.edit(f"{typed}\nkind: Deployment", "kind: Deployment")


@pytest.mark.asyncio
async def test_code_actions(client, folder):
    template = File(client, folder, TEMPLATE)
    template.edit("kind: Deployment", "kind: Deploymentt")
    found = await template.diagnostics(lambda found: len(found) > 0)
    context = t.CodeActionContext(diagnostics=list(found[:1]))
    params = t.CodeActionParams(text_document=template.id, range=found[0].range, context=context)
    actions = await client.text_document_code_action_async(params)
    assert any(a.title.startswith("Ignore `") for a in actions), actions


@pytest.mark.asyncio
async def test_rendered_manifest(client, folder):
    template = File(client, folder, TEMPLATE)
    ask = client.workspace_execute_command_async
    names = await ask(t.ExecuteCommandParams(command="thebot-lint.environments", arguments=[{"uri": template.uri}]))
    assert "prod" in names
    wanted = {"uri": template.uri, "environment": "prod", "template": True}
    answer = await ask(t.ExecuteCommandParams(command="thebot-lint.rendered", arguments=[wanted]))
    text, lines = (answer["text"], answer["lines"]) if isinstance(answer, dict) else (answer.text, answer.lines)
    assert "kind: Deployment" in text and len(lines) == len(text.splitlines())

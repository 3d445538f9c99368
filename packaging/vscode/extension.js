// Starts `thebot-lint lsp`, and shows rendered manifests beside templates. Everything else the server says by itself.
'use strict';

const fs = require('fs');
const path = require('path');
const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

const SCHEME = 'thebot-lint';
// Long enough that typing is not interrupted by a rendering that is out of date at once.
const PAUSE = 300;

/** Whatever a chart is made of; the server ignores files that belong to none. */
const FILES = ['**/templates/**', '**/*.{yaml,yml,tpl}', '**/.thebot-lint.{yaml,yml}', '**/Chart.lock'];

let client;

/** The program that the settings name, else the one inside of the extension, else the one in PATH. */
function program(context) {
  const inside = path.join(context.extensionPath, 'bin', process.platform === 'win32' ? 'thebot-lint.exe' : 'thebot-lint');
  return vscode.workspace.getConfiguration('thebot-lint').get('path') || (fs.existsSync(inside) ? inside : 'thebot-lint');
}

function start(context) {
  const command = program(context);
  client = new LanguageClient(
    'thebot-lint',
    'thebot-lint',
    { command, args: ['lsp'] },
    { documentSelector: FILES.map((pattern) => ({ scheme: 'file', pattern })) },
  );
  return client.start();
}

/** The rendered manifests that are shown: by the text of their URI. */
class Rendered {
  constructor() {
    this.shown = new Map();
    this.changed = new vscode.EventEmitter();
    this.onDidChange = this.changed.event;
    this.timer = undefined;
    this.following = false;
  }

  provideTextDocumentContent(uri) {
    const shown = this.shown.get(uri.toString());
    return shown ? shown.text : '';
  }

  async fetch(source, environment, template) {
    const wanted = { uri: source.toString(), environment, template };
    return client.sendRequest('workspace/executeCommand', { command: 'thebot-lint.rendered', arguments: [wanted] });
  }

  async show(template) {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return;
    const source = editor.document.uri;
    const names = await client.sendRequest('workspace/executeCommand', {
      command: 'thebot-lint.environments',
      arguments: [{ uri: source.toString() }],
    });
    const environment = names.length === 1 ? names[0] : await vscode.window.showQuickPick(names, { placeHolder: 'Environment' });
    if (!environment) return;
    const answer = await this.fetch(source, environment, template);
    // The editor's tab has the environment's name; the query tells manifests of several charts apart.
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${environment}.yaml`, query: `${template ? 'template' : 'chart'} ${source}` });
    this.shown.set(uri.toString(), { source, environment, template, text: this.textOf(answer), lines: answer.lines });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: false });
    this.changed.fire(uri);
  }

  /** What is wrong stands below the manifest, so that the lines above keep their numbers. */
  textOf(answer) {
    return answer.problem ? `${answer.text}\n# ${answer.problem.replace(/\n/g, '\n# ')}\n` : answer.text;
  }

  /** Renders again what is shown, once the typing pauses. */
  later() {
    if (this.shown.size === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      for (const [key, shown] of this.shown) {
        try {
          const answer = await this.fetch(shown.source, shown.environment, shown.template);
          Object.assign(shown, { text: this.textOf(answer), lines: answer.lines });
          this.changed.fire(vscode.Uri.parse(key));
        } catch {
          // The chart cannot be loaded just now; what was rendered last stays.
        }
      }
    }, PAUSE);
  }

  /** The cursor moved: the other side shows the line that belongs to it. */
  follow(event) {
    // What we reveal ourselves is no move of a person's.
    if (event.kind === undefined || this.following) return;
    const { document } = event.textEditor;
    const line = event.selections[0].active.line;
    const shown = this.shown.get(document.uri.toString());
    if (shown) {
      const from = shown.lines[line] && (shown.lines[line].template || shown.lines[line].values);
      if (from) this.reveal((d) => d.uri.toString() === vscode.Uri.parse(from.uri).toString(), from.line);
      return;
    }
    const here = document.uri.toString();
    const of = (place) => place && place.line === line && vscode.Uri.parse(place.uri).toString() === here;
    for (const [key, { lines }] of this.shown) {
      const rendered = lines.findIndex((l) => of(l.template) || of(l.values));
      if (rendered >= 0) this.reveal((d) => d.uri.toString() === key, rendered);
    }
  }

  reveal(wanted, line) {
    const editor = vscode.window.visibleTextEditors.find((e) => wanted(e.document));
    if (!editor || line >= editor.document.lineCount) return;
    const range = editor.document.lineAt(line).range;
    this.following = true;
    editor.selection = new vscode.Selection(range.start, range.start);
    editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    setTimeout(() => (this.following = false), 50);
  }

  closed(document) {
    this.shown.delete(document.uri.toString());
  }
}

/** Errors of the server are for the person. */
function told(work) {
  return async () => {
    try {
      await work();
    } catch (error) {
      vscode.window.showErrorMessage(`thebot-lint: ${error.message || error}`);
    }
  };
}

async function activate(context) {
  const rendered = new Rendered();
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, rendered),
    vscode.commands.registerCommand('thebot-lint.showRendered', told(() => rendered.show(true))),
    vscode.commands.registerCommand('thebot-lint.showRenderedChart', told(() => rendered.show(false))),
    vscode.commands.registerCommand('thebot-lint.restart', told(() => client.restart())),
    vscode.workspace.onDidChangeTextDocument((event) => event.document.uri.scheme === 'file' && rendered.later()),
    vscode.workspace.onDidCloseTextDocument((document) => rendered.closed(document)),
    vscode.window.onDidChangeTextEditorSelection((event) => rendered.follow(event)),
  );
  await start(context);
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };

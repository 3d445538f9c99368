//! `thebot-lint lsp`: the language server. It judges a chart as it is in the editor.
//!
//! One loop handles all messages in order. Only judging a chart runs on another thread, one chart
//! at a time: it begins when no message is left to read, and is cancelled when a text changes. A
//! request about a chart that was never judged waits for the first judgement. This module handles
//! the protocol; the other modules do the work.

mod act;
mod builtin;
mod calls;
mod complete;
mod documents;
mod folding;
mod format;
mod hints;
mod hover;
mod judge;
mod links;
mod model;
mod navigate;
mod outline;
mod rename;
mod rendered;
mod symbols;
mod tokens;
mod unfinished;
mod written;

use crate::Error;
use crate::panics::{Panic, caught};
use crate::project::config;
use crate::project::unit::{self, Unit};
use crate::source::Unsaved;
use crossbeam_channel::{Receiver, Sender, never, select, unbounded};
use documents::{Documents, offset, path_of, range};
use judge::{Job, Judged, Outcome};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::Notification as _;
use lsp_types::*;
use model::Model;
use rename::Renaming;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A configuration in a folder far above may apply to very many charts. At most this many of them
/// are judged when it changes.
const MOST_CHARTS: usize = 16;

/// Serves an editor on stdin and stdout until it sends `exit`.
///
/// # Errors
/// If the streams fail, or the client does not follow the protocol.
pub(crate) fn serve() -> Result<(), Error> {
    let (connection, threads) = Connection::stdio();
    speak(connection)?;
    threads.join().map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Usage(format!("language server: {error}"))
}

/// Serves the editor at the other end of a connection until it sends `exit`.
///
/// # Errors
/// The same as for [`serve`].
pub fn speak(connection: Connection) -> Result<(), Error> {
    let (id, parameters) = connection.initialize_start().map_err(broken)?;
    let parameters: InitializeParams = serde_json::from_value(parameters).map_err(broken)?;
    let result = serde_json::json!({
        "capabilities": capabilities(),
        "serverInfo": {"name": "thebot-lint", "version": env!("CARGO_PKG_VERSION")},
    });
    connection.initialize_finish(id, result).map_err(broken)?;
    let mut server = Server::new(connection.sender.clone());
    server.watch_files(&parameters.capabilities);
    server.run(&connection);
    Ok(())
}

fn capabilities() -> ServerCapabilities {
    let files = FileOperationRegistrationOptions {
        filters: vec![FileOperationFilter {
            scheme: Some("file".into()),
            pattern: FileOperationPattern {
                glob: "**/*".into(),
                matches: None,
                options: None,
            },
        }],
    };
    ServerCapabilities {
        position_encoding: Some(PositionEncodingKind::UTF16),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::Supported(true)),
                ..TextDocumentSyncOptions::default()
            },
        )),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([".", "\"", "$", "["].map(String::from).to_vec()),
            ..CompletionOptions::default()
        }),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::REFACTOR]),
            ..CodeActionOptions::default()
        })),
        inlay_hint_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        document_link_provider: Some(DocumentLinkOptions {
            resolve_provider: None,
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        document_formatting_provider: Some(OneOf::Left(true)),
        call_hierarchy_provider: Some(CallHierarchyServerCapability::Simple(true)),
        semantic_tokens_provider: Some(SemanticTokensServerCapabilities::SemanticTokensOptions(
            SemanticTokensOptions {
                legend: SemanticTokensLegend {
                    token_types: tokens::TYPES.to_vec(),
                    token_modifiers: Vec::new(),
                },
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            },
        )),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![rendered::RENDERED.into(), rendered::ENVIRONMENTS.into()],
            ..ExecuteCommandOptions::default()
        }),
        workspace: Some(WorkspaceServerCapabilities {
            // Charts are found by the open files, so the server needs no list of the workspace's
            // folders.
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: None,
            }),
            file_operations: Some(WorkspaceFileOperationsServerCapabilities {
                did_create: Some(files.clone()),
                did_rename: Some(files.clone()),
                did_delete: Some(files),
                ..WorkspaceFileOperationsServerCapabilities::default()
            }),
        }),
        ..ServerCapabilities::default()
    }
}

/// The state of one chart, or of the manifests of one folder.
#[derive(Default)]
struct ChartState {
    /// The [`Server::revision`] of the last change that may affect the result.
    revision: u64,
    /// The revision that was judged last, or whose judging was given up.
    done: Option<u64>,
    /// The newest judgement that has a rendering; requests about the chart use it.
    judged: Option<Arc<Judged>>,
    /// While it cannot be rendered in full: the last judgement that could.
    whole: Option<Arc<Judged>>,
    /// The diagnostics of the newest judgement, by file.
    found: BTreeMap<PathBuf, Vec<Diagnostic>>,
}

impl ChartState {
    /// Takes in a new judgement. Returns an old one that is no longer needed.
    fn renew(&mut self, judged: Judged) -> Option<Arc<Judged>> {
        let is_rendered = |judged: &Judged| judged.analysis.rendering.is_some();
        if !is_rendered(&judged) && self.judged.as_deref().is_some_and(is_rendered) {
            return None;
        }
        let is_whole = judged.is_whole();
        let before = self.judged.replace(Arc::new(judged));
        if is_whole {
            self.whole = None;
            return before;
        }
        match before {
            Some(before) if self.whole.is_none() && before.is_whole() => {
                self.whole = Some(before);
                None
            }
            before => before,
        }
    }
}

struct Server {
    sender: Sender<Message>,
    documents: Documents,
    charts: BTreeMap<PathBuf, ChartState>,
    /// Counts all changes of all charts. A chart that is closed and opened again thus gets a new
    /// revision, while its old one may still be judged.
    revision: u64,
    running: Option<(PathBuf, Arc<AtomicBool>, Receiver<Outcome>)>,
    /// Requests about charts that were never judged, or whose newest text was not.
    waiting: Vec<Request>,
    /// The diagnostics that the editor has, with the version of the text.
    published: BTreeMap<PathBuf, (Option<i32>, Vec<Diagnostic>)>,
    /// The latest model, with its judgement and the revision of the documents that it was made
    /// from.
    model: Option<(Arc<Judged>, u64, Rc<Model>)>,
}

/// The reason why a request is refused.
type Refusal = (ErrorCode, String);

/// The data for a request about a file.
struct Asked {
    path: PathBuf,
    text: Arc<[u8]>,
    judged: Option<Arc<Judged>>,
    /// While the chart cannot be rendered in full: the last judgement that could.
    whole: Option<Arc<Judged>>,
    /// Whether the newest text was judged.
    is_current: bool,
    model: Option<Rc<Model>>,
}

impl Asked {
    fn offset(&self, at: Position) -> usize {
        offset(&self.text, at)
    }

    fn is_template(&self) -> bool {
        let model = self.model.as_deref();
        model.is_some_and(|model| model.template(&self.path).is_some())
    }
}

impl Server {
    fn new(sender: Sender<Message>) -> Server {
        Server {
            sender,
            documents: Documents::default(),
            charts: BTreeMap::new(),
            revision: 0,
            running: None,
            waiting: Vec::new(),
            published: BTreeMap::new(),
            model: None,
        }
    }

    fn run(&mut self, connection: &Connection) {
        loop {
            let none = never();
            let outcomes = self
                .running
                .as_ref()
                .map_or(&none, |(_, _, outcomes)| outcomes);
            let (message, outcome) = select! {
                recv(connection.receiver) -> message => (message.ok(), None),
                recv(outcomes) -> outcome => (None, Some(outcome.ok())),
            };
            match (message, outcome) {
                (_, Some(outcome)) => self.judged(outcome),
                (Some(message), None) => {
                    // Handle all messages that have arrived before any work starts.
                    let all: Vec<Message> = std::iter::once(message)
                        .chain(connection.receiver.try_iter())
                        .collect();
                    let cancelled: Vec<RequestId> = all
                        .iter()
                        .filter_map(|message| match message {
                            Message::Notification(notification) => cancelled_by(notification),
                            _ => None,
                        })
                        .collect();
                    for message in all {
                        match message {
                            Message::Request(request) if cancelled.contains(&request.id) => {
                                self.refuse_cancelled(request.id);
                            }
                            message => {
                                if !self.take(message) {
                                    return;
                                }
                            }
                        }
                    }
                }
                // The editor has closed the connection.
                (None, None) => return,
            }
            self.start();
        }
    }

    /// Handles one message; false if it is `exit`.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Request(request) => self.request(request),
            Message::Notification(notification) => {
                if notification.method == notification::Exit::METHOD {
                    return false;
                }
                if let Some(id) = cancelled_by(&notification) {
                    self.cancel_waiting(&id);
                    return true;
                }
                let method = notification.method.clone();
                if let Err(panic) = caught(|| self.notification(notification)) {
                    self.log(&format!("{method}: {panic}. {}", Panic::help()));
                }
            }
            Message::Response(_) => {}
        }
        true
    }

    fn notification(&mut self, notification: Notification) {
        use notification::*;
        fn read<T: serde::de::DeserializeOwned>(notification: Notification) -> Option<T> {
            serde_json::from_value(notification.params).ok()
        }
        type Notification = lsp_server::Notification;
        match notification.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(DidOpenTextDocumentParams {
                    text_document: opened,
                }) = read(notification)
                else {
                    return;
                };
                let Some(path) = path_of(&opened.uri) else {
                    return;
                };
                self.documents
                    .open(path.clone(), opened.uri, opened.version, &opened.text);
                self.touch(&path);
            }
            DidChangeTextDocument::METHOD => {
                let Some(DidChangeTextDocumentParams {
                    text_document: changed,
                    content_changes,
                }) = read(notification)
                else {
                    return;
                };
                let Some(path) = path_of(&changed.uri) else {
                    return;
                };
                self.documents
                    .change(&path, changed.version, &content_changes);
                self.touch(&path);
            }
            DidCloseTextDocument::METHOD => {
                let Some(DidCloseTextDocumentParams {
                    text_document: closed,
                }) = read(notification)
                else {
                    return;
                };
                let Some(path) = path_of(&closed.uri) else {
                    return;
                };
                self.documents.close(&path);
                self.touch(&path);
                self.forget();
            }
            DidSaveTextDocument::METHOD => {
                let Some(DidSaveTextDocumentParams {
                    text_document: saved,
                    ..
                }) = read(notification)
                else {
                    return;
                };
                if let Some(path) = path_of(&saved.uri) {
                    self.documents.look(&path);
                    self.touch(&path);
                }
            }
            DidChangeWatchedFiles::METHOD => {
                let Some(DidChangeWatchedFilesParams { changes }) = read(notification) else {
                    return;
                };
                let paths = changes.iter().filter_map(|change| path_of(&change.uri));
                // For an open file, the editor sends the text itself.
                let paths: Vec<PathBuf> = paths
                    .filter(|path| self.documents.get(path).is_none() || self.documents.look(path))
                    .collect();
                self.changed_on_disk(&paths);
            }
            DidCreateFiles::METHOD => {
                let Some(CreateFilesParams { files }) = read(notification) else {
                    return;
                };
                self.changed_on_disk(&paths_of(files.iter().map(|file| &file.uri)));
            }
            DidRenameFiles::METHOD => {
                let Some(RenameFilesParams { files }) = read(notification) else {
                    return;
                };
                self.changed_on_disk(&paths_of(
                    files.iter().flat_map(|file| [&file.old_uri, &file.new_uri]),
                ));
            }
            DidDeleteFiles::METHOD => {
                let Some(DeleteFilesParams { files }) = read(notification) else {
                    return;
                };
                self.changed_on_disk(&paths_of(files.iter().map(|file| &file.uri)));
            }
            _ => {}
        }
    }

    /// Gives up a request that waits for a judgement.
    fn cancel_waiting(&mut self, id: &RequestId) {
        if let Some(at) = self.waiting.iter().position(|request| request.id == *id) {
            let request = self.waiting.remove(at);
            self.refuse_cancelled(request.id);
        }
    }

    fn refuse_cancelled(&self, id: RequestId) {
        let code = ErrorCode::RequestCanceled as i32;
        self.respond(Response::new_err(id, code, "cancelled".into()));
    }

    fn request(&mut self, request: Request) {
        if request.method == "shutdown" {
            return self.respond(Response::new_ok(request.id, ()));
        }
        let id = request.id.clone();
        let answer = caught(|| self.answer(&request));
        let response = match answer {
            Ok(Ok(Some(value))) => Response {
                id,
                response_result: Ok(value),
            },
            Ok(Ok(None)) => return self.waiting.push(request),
            Ok(Err((code, message))) => Response::new_err(id, code as i32, message),
            Err(panic) => Response::new_err(
                id,
                ErrorCode::InternalError as i32,
                format!("{panic}. {}", Panic::help()),
            ),
        };
        self.respond(response);
    }

    /// The answer to a request; None if the chart must be judged first.
    fn answer(&mut self, request: &Request) -> Result<Option<serde_json::Value>, Refusal> {
        use request::{Request as _, *};
        type Request = lsp_server::Request;
        fn read<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
            serde_json::from_value(request.params.clone())
                .map_err(|e| (ErrorCode::InvalidParams, e.to_string()))
        }
        fn write(value: impl serde::Serialize) -> Result<Option<serde_json::Value>, Refusal> {
            serde_json::to_value(value)
                .map(Some)
                .map_err(|e| (ErrorCode::InternalError, e.to_string()))
        }
        let refused = |why: String| (ErrorCode::RequestFailed, why);
        /// The data for the requested file. Returns from this function if there is nothing to
        /// answer, or nothing yet.
        macro_rules! asked {
            ($uri:expr) => {
                match self.asked($uri) {
                    Some(Some(asked)) => asked,
                    Some(None) => return Ok(None),
                    None => return Ok(Some(serde_json::Value::Null)),
                }
            };
        }
        match request.method.as_str() {
            HoverRequest::METHOD => {
                let HoverParams {
                    text_document_position_params: at,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let found = self.found(&asked.path);
                write(hover::hover(&asked, at.position, &found))
            }
            GotoDefinition::METHOD => {
                let GotoDefinitionParams {
                    text_document_position_params: at,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let model = asked.model.as_deref();
                let places = model
                    .map(|m| {
                        navigate::definition(m, &asked.path, &asked.text, asked.offset(at.position))
                    })
                    .unwrap_or_default();
                write(navigate::locations(places, &self.documents))
            }
            References::METHOD => {
                let ReferenceParams {
                    text_document_position: at,
                    context,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let model = asked.model.as_deref();
                let offset = asked.offset(at.position);
                let places = model
                    .map(|m| {
                        navigate::references(m, &asked.path, offset, context.include_declaration)
                    })
                    .unwrap_or_default();
                write(navigate::locations(places, &self.documents))
            }
            DocumentSymbolRequest::METHOD => {
                let DocumentSymbolParams { text_document, .. } = read(request)?;
                let asked = asked!(&text_document.uri);
                write(symbols::symbols(
                    asked.model.as_deref(),
                    &asked.path,
                    &asked.text,
                ))
            }
            PrepareRenameRequest::METHOD => {
                let at: TextDocumentPositionParams = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let Some(model) = &asked.model else {
                    return Ok(Some(serde_json::Value::Null));
                };
                let (place, name) =
                    rename::renameable(model, &asked.path, asked.offset(at.position))
                        .map_err(refused)?;
                write(PrepareRenameResponse::RangeWithPlaceholder {
                    range: range(&asked.text, place),
                    placeholder: name,
                })
            }
            Rename::METHOD => {
                let RenameParams {
                    text_document_position: at,
                    new_name,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let Some(model) = &asked.model else {
                    return Ok(Some(serde_json::Value::Null));
                };
                let Some(judged) = asked.judged.as_deref().filter(|_| asked.is_current) else {
                    return Ok(None);
                };
                let renaming = Renaming {
                    model,
                    judged,
                    documents: &self.documents,
                };
                let offset = asked.offset(at.position);
                write(
                    renaming
                        .edit(&asked.path, offset, &new_name)
                        .map_err(refused)?,
                )
            }
            Completion::METHOD => {
                let CompletionParams {
                    text_document_position: at,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let offset = asked.offset(at.position);
                let judged = asked.judged.as_deref();
                write(match (asked.model.as_deref(), judged) {
                    (Some(model), _) => {
                        complete::complete(model, judged, &asked.path, &asked.text, offset)
                    }
                    (None, Some(judged)) => {
                        complete::in_plain_manifest(&asked.text, offset, judged.versions())
                    }
                    (None, None) => Vec::new(),
                })
            }
            CodeActionRequest::METHOD => {
                let CodeActionParams {
                    text_document,
                    context,
                    range,
                    ..
                } = read(request)?;
                let asked = asked!(&text_document.uri);
                write(act::actions(
                    &asked,
                    range,
                    &context.diagnostics,
                    &self.documents,
                ))
            }
            InlayHintRequest::METHOD => {
                let InlayHintParams {
                    text_document,
                    range,
                    ..
                } = read(request)?;
                let asked = asked!(&text_document.uri);
                write(
                    asked
                        .model
                        .as_deref()
                        .map(|m| hints::hints(m, &asked.path, range))
                        .unwrap_or_default(),
                )
            }
            FoldingRangeRequest::METHOD => {
                let FoldingRangeParams { text_document, .. } = read(request)?;
                let asked = asked!(&text_document.uri);
                write(folding::folding(&asked.text, asked.is_template()))
            }
            SemanticTokensFullRequest::METHOD => {
                let SemanticTokensParams { text_document, .. } = read(request)?;
                let asked = asked!(&text_document.uri);
                let data = match asked.is_template() {
                    true => tokens::tokens(&asked.text),
                    false => Vec::new(),
                };
                write(SemanticTokens {
                    result_id: None,
                    data,
                })
            }
            Formatting::METHOD => {
                let DocumentFormattingParams { text_document, .. } = read(request)?;
                let asked = asked!(&text_document.uri);
                write(match asked.is_template() {
                    true => format::format(&asked.text),
                    false => Vec::new(),
                })
            }
            DocumentLinkRequest::METHOD => {
                let DocumentLinkParams { text_document, .. } = read(request)?;
                let asked = asked!(&text_document.uri);
                let model = asked.model.as_deref();
                write(model.map_or_else(Vec::new, |m| links::links(m, &asked.path)))
            }
            CallHierarchyPrepare::METHOD => {
                let CallHierarchyPrepareParams {
                    text_document_position_params: at,
                    ..
                } = read(request)?;
                let asked = asked!(&at.text_document.uri);
                let (model, offset) = (asked.model.as_deref(), asked.offset(at.position));
                write(model.map_or_else(Vec::new, |m| {
                    calls::prepare(m, &asked.path, offset, &self.documents)
                }))
            }
            CallHierarchyIncomingCalls::METHOD => {
                let CallHierarchyIncomingCallsParams { item, .. } = read(request)?;
                let asked = asked!(&item.uri);
                let model = asked.model.as_deref();
                let calls = |m| calls::incoming(m, &item.name, &self.documents);
                write(model.map_or_else(Vec::new, calls))
            }
            CallHierarchyOutgoingCalls::METHOD => {
                let CallHierarchyOutgoingCallsParams { item, .. } = read(request)?;
                let asked = asked!(&item.uri);
                let model = asked.model.as_deref();
                let calls = |m| calls::outgoing(m, &item.name, &self.documents);
                write(model.map_or_else(Vec::new, calls))
            }
            ExecuteCommand::METHOD => self.command(read(request)?),
            _ => Err((
                ErrorCode::MethodNotFound,
                format!("thebot-lint does not know {}", request.method),
            )),
        }
    }

    /// Commands: `thebot-lint.rendered` {uri, environment, template} and `thebot-lint.environments`
    /// {uri}. With `template: true` only the output of the file at `uri` is returned.
    fn command(
        &mut self,
        command: ExecuteCommandParams,
    ) -> Result<Option<serde_json::Value>, Refusal> {
        let wanted = command.arguments.first().cloned().unwrap_or_default();
        let uri = serde_json::from_value(wanted["uri"].clone());
        let uri: Uri = uri.map_err(|_| {
            (
                ErrorCode::InvalidParams,
                format!("{} needs an argument {{\"uri\": …}}", command.command),
            )
        })?;
        let asked = match self.asked(&uri) {
            Some(Some(asked)) => asked,
            Some(None) => return Ok(None),
            None => {
                return Err((
                    ErrorCode::RequestFailed,
                    "the file belongs to no chart".into(),
                ));
            }
        };
        let Some((judged, model)) = asked.judged.as_deref().zip(asked.model.as_deref()) else {
            return Err((
                ErrorCode::RequestFailed,
                "the chart cannot be loaded".into(),
            ));
        };
        match command.command.as_str() {
            rendered::RENDERED => {
                let environment = wanted["environment"].as_str().unwrap_or("default");
                let file = asked
                    .path
                    .strip_prefix(&model.chart)
                    .ok()
                    .and_then(Path::to_str);
                let only = file.filter(|_| wanted["template"].as_bool() == Some(true));
                if !asked.is_current {
                    return Ok(None);
                }
                rendered::rendered(judged, asked.whole.as_deref(), environment, only)
                    .map(Some)
                    .map_err(|why| (ErrorCode::RequestFailed, why))
            }
            rendered::ENVIRONMENTS => Ok(Some(
                model.environments.iter().map(|e| e.name.clone()).collect(),
            )),
            other => Err((
                ErrorCode::InvalidParams,
                format!("thebot-lint has no command {other}"),
            )),
        }
    }

    /// The data for a request about a file: None if the file belongs to no chart, `Some(None)` if
    /// its chart was not judged yet.
    fn asked(&mut self, uri: &Uri) -> Option<Option<Asked>> {
        let path = path_of(uri)?;
        let charts = self.charts_of(&path);
        let chart = charts.iter().find(|c| self.charts.contains_key(*c))?;
        let state = &self.charts[chart];
        let judged = state.judged.clone();
        // A file that is new to the chart is not in the last judgement.
        let is_known = judged
            .as_ref()
            .is_some_and(|judged| judged.files.contains(&path));
        if !is_known && state.done != Some(state.revision) {
            return Some(None);
        }
        let whole = state.whole.clone();
        let is_current = state.done == Some(state.revision);
        let text = match self.documents.get(&path) {
            Some(document) => document.text.clone(),
            None => crate::source::Sources::default()
                .read_file(&path)
                .ok()?
                .into(),
        };
        let revision = self.documents.revision;
        let model = match (&judged, &self.model) {
            (Some(judged), Some((of, at, model))) if Arc::ptr_eq(judged, of) && *at == revision => {
                Some(model.clone())
            }
            (Some(judged), _) => judged.analysis.rendering.as_ref().map(|rendering| {
                let model = Rc::new(Model::new(
                    chart,
                    rendering,
                    (&judged.analysis.sources, &judged.analysis.secrets),
                    &judged.unfinished,
                    judged.configuration.as_deref(),
                    &self.documents,
                ));
                self.model = Some((judged.clone(), revision, model.clone()));
                model
            }),
            (None, _) => None,
        };
        Some(Some(Asked {
            path,
            text,
            judged,
            whole,
            is_current,
            model,
        }))
    }

    /// The diagnostics of all charts about a file.
    fn found(&self, path: &Path) -> Vec<Diagnostic> {
        self.charts
            .values()
            .filter_map(|state| state.found.get(path))
            .flatten()
            .cloned()
            .collect()
    }

    fn respond(&self, response: Response) {
        // If the editor is gone, the loop ends by itself.
        let _ = self.sender.send(response.into());
    }

    fn notify<N: notification::Notification>(&self, parameters: N::Params) {
        let parameters = serde_json::to_value(parameters).unwrap_or_default();
        let _ = self.sender.send(Message::Notification(Notification {
            method: N::METHOD.into(),
            params: parameters,
        }));
    }

    fn log(&self, message: &str) {
        self.notify::<notification::LogMessage>(LogMessageParams {
            typ: MessageType::ERROR,
            message: message.into(),
        });
    }

    /// Asks the editor to report files that change on disk, if it supports that.
    fn watch_files(&self, client: &ClientCapabilities) {
        let watched = client
            .workspace
            .as_ref()
            .and_then(|w| w.did_change_watched_files.as_ref());
        if watched.and_then(|w| w.dynamic_registration) != Some(true) {
            return;
        }
        // Templates can read any file of a chart.
        let options = serde_json::json!({"watchers": [{"globPattern": "**/*"}]});
        let parameters = serde_json::json!({"registrations": [
            {"id": "files", "method": notification::DidChangeWatchedFiles::METHOD, "registerOptions": options}
        ]});
        let request = Request {
            id: RequestId::from("watch".to_string()),
            method: "client/registerCapability".into(),
            params: parameters,
        };
        let _ = self.sender.send(request.into());
    }

    /// An open file changed: marks its charts to be judged again.
    fn touch(&mut self, path: &Path) {
        self.charts_of(path)
            .into_iter()
            .for_each(|chart| self.outdate(chart));
    }

    /// Files or folders were created, deleted or changed: marks the charts that they belong to, or
    /// that lie below them, to be judged again, if the chart is known or one of its files is open.
    fn changed_on_disk(&mut self, paths: &[PathBuf]) {
        let mut charts: Vec<PathBuf> = Vec::new();
        let below = |open: &&Path| paths.iter().any(|path| open.starts_with(path));
        let open: Vec<PathBuf> = self
            .documents
            .paths()
            .filter(below)
            .map(Path::to_path_buf)
            .collect();
        open.iter().for_each(|path| {
            self.documents.look(path);
        });
        for path in paths {
            charts.extend(self.charts_of(path));
            charts.extend(
                self.charts
                    .keys()
                    .filter(|chart| chart.starts_with(path))
                    .cloned(),
            );
        }
        charts.sort();
        charts.dedup();
        charts.retain(|chart| {
            self.charts.contains_key(chart)
                || self.documents.paths().any(|open| open.starts_with(chart))
        });
        charts.into_iter().for_each(|chart| self.outdate(chart));
    }

    fn outdate(&mut self, chart: PathBuf) {
        self.cancel(&chart);
        self.revision += 1;
        self.charts.entry(chart).or_default().revision = self.revision;
    }

    /// The charts that a file affects: its own chart, charts that are known to use it, and for a
    /// configuration the charts below it.
    fn charts_of(&self, path: &Path) -> Vec<PathBuf> {
        let is_chart = |folder: &Path| {
            let file = folder.join("Chart.yaml");
            file.is_file() || self.documents.is_there(&file)
        };
        let mut charts: Vec<PathBuf> = unit::chart_among(path, is_chart)
            .map(|c| Unsaved::key(&c))
            .into_iter()
            .collect();
        for (chart, state) in &self.charts {
            if !charts.contains(chart)
                && state
                    .judged
                    .as_ref()
                    .is_some_and(|judged| judged.files.contains(path))
            {
                charts.push(chart.clone());
            }
        }
        let is_configuration = path
            .file_name()
            .is_some_and(|name| config::FILE_NAMES.iter().any(|known| *name == **known));
        if charts.is_empty()
            && is_configuration
            && let Some(folder) = path.parent()
        {
            let found = unit::of(&crate::Options {
                paths: vec![folder.to_path_buf()],
                ..crate::Options::default()
            });
            let units = found.unwrap_or_default().units.into_iter();
            let below = units.filter_map(|unit| match unit {
                Unit::Chart(chart) if chart.is_dir() => Some(Unsaved::key(&chart)),
                _ => None,
            });
            charts.extend(below.take(MOST_CHARTS));
        }
        // Manifests outside of charts are judged with those beside them.
        if charts.is_empty()
            && let Some(document) = self.documents.get(path)
            && let Some(folder) = path.parent()
            && (self.charts.contains_key(folder) || unit::is_manifest(path, &document.text))
        {
            charts.push(folder.to_path_buf());
        }
        charts
    }

    /// Starts judging a chart that has changed, unless a chart is being judged already.
    fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some((chart, state)) = self
            .charts
            .iter()
            .find(|(_, state)| state.done != Some(state.revision))
        else {
            return;
        };
        let cancel = Arc::new(AtomicBool::new(false));
        let job = Job {
            chart: chart.clone(),
            revision: state.revision,
            unsaved: self.documents.unsaved(),
            cancel: cancel.clone(),
            before: state.judged.clone(),
        };
        let (sender, outcomes) = unbounded();
        self.running = Some((chart.clone(), cancel, outcomes));
        std::thread::spawn(move || {
            // The receiver is gone if the result is no longer needed.
            let _ = sender.send(crate::threads::deep(|| judge::run(job)));
        });
    }

    /// Cancels judging a chart, if it is being judged.
    fn cancel(&self, chart: &Path) {
        if let Some((running, cancel, _)) = &self.running
            && running == chart
        {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    /// Handles the result of judging; publishes it if it belongs to the newest revision.
    fn judged(&mut self, outcome: Option<Outcome>) {
        let Some((chart, _, _)) = self.running.take() else {
            return;
        };
        // If the thread died without a result, this revision has failed.
        let outcome = outcome.unwrap_or_else(|| Outcome {
            revision: self.charts.get(&chart).map_or(0, |state| state.revision),
            result: Err(Some("judging the chart ended early".into())),
            chart: chart.clone(),
        });
        if let Some(state) = self.charts.get(&chart)
            && outcome.revision != state.revision
        {
            return;
        }
        self.take_in(outcome);
        for request in std::mem::take(&mut self.waiting) {
            self.request(request);
        }
    }

    fn take_in(&mut self, outcome: Outcome) {
        let Some(state) = self.charts.get_mut(&outcome.chart) else {
            return;
        };
        state.done = Some(outcome.revision);
        match outcome.result {
            Ok(judged) => {
                let found = judge::diagnostics(&judged, &outcome.chart, &self.documents);
                let mut files: Vec<PathBuf> = state.found.keys().cloned().collect();
                state.found = found;
                files.extend(state.found.keys().cloned());
                // Dropping the old judgement takes time, so the editor gets its diagnostics first.
                let _before = state.renew(judged);
                self.publish(files, &outcome.chart);
            }
            Err(Some(why)) => self.log(&why),
            Err(None) => {}
        }
    }

    /// Publishes the diagnostics of all charts for the files that have others than before, or another
    /// text. The chart's open files without diagnostics get an empty list.
    fn publish(&mut self, mut files: Vec<PathBuf>, chart: &Path) {
        files.extend(
            self.documents
                .paths()
                .filter(|path| path.starts_with(chart))
                .map(Path::to_path_buf),
        );
        files.sort();
        files.dedup();
        for file in files {
            let mut diagnostics: Vec<Diagnostic> = Vec::new();
            for found in self.found(&file) {
                // The faults of a configuration are found with every chart that it applies to.
                if !diagnostics.contains(&found) {
                    diagnostics.push(found);
                }
            }
            let Some(uri) = self.documents.uri(&file) else {
                continue;
            };
            let version = self.documents.get(&file).map(|d| d.version);
            let new = (version, diagnostics);
            if self.published.get(&file) == Some(&new) {
                continue;
            }
            self.notify::<notification::PublishDiagnostics>(PublishDiagnosticsParams {
                uri,
                diagnostics: new.1.clone(),
                version,
            });
            if version.is_none() && new.1.is_empty() {
                self.published.remove(&file);
            } else {
                self.published.insert(file, new);
            }
        }
    }

    /// Removes charts without open files, and clears their diagnostics in the editor.
    fn forget(&mut self) {
        let mut used: Vec<PathBuf> = Vec::new();
        for path in self.documents.paths() {
            used.extend(self.charts_of(path));
        }
        let gone: Vec<PathBuf> = self
            .charts
            .keys()
            .filter(|chart| !used.contains(chart))
            .cloned()
            .collect();
        for chart in gone {
            self.model = None;
            if let Some(state) = self.charts.remove(&chart) {
                self.publish(state.found.into_keys().collect(), &chart);
            }
            self.cancel(&chart);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((_, cancel, _)) = &self.running {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

/// The request that `$/cancelRequest` cancels.
fn cancelled_by(notification: &Notification) -> Option<RequestId> {
    use notification::{Cancel, Notification as _};
    if notification.method != Cancel::METHOD {
        return None;
    }
    let CancelParams { id } = serde_json::from_value(notification.params.clone()).ok()?;
    Some(match id {
        NumberOrString::Number(number) => RequestId::from(number),
        NumberOrString::String(text) => RequestId::from(text),
    })
}

fn paths_of<'u>(uris: impl Iterator<Item = &'u String>) -> Vec<PathBuf> {
    uris.filter_map(|uri| path_of(&uri.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_a_chart_that_was_closed_is_nothing_of_the_one_that_is_opened_again() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("Chart.yaml"),
            "apiVersion: v2\nname: a\nversion: 1.0.0\n",
        )
        .expect("a file");
        let file = Unsaved::key(&folder.path().join("values.yaml"));
        let uri: Uri = format!("file://{}", file.display()).parse().expect("a URI");
        let (sender, _receiver) = unbounded();
        let mut server = Server::new(sender);
        let open = |server: &mut Server| {
            server
                .documents
                .open(file.clone(), uri.clone(), 0, "a: 1\n");
            server.touch(&file);
            server
                .charts
                .iter()
                .next()
                .map(|(chart, state)| (chart.clone(), state.revision))
                .expect("the chart")
        };
        let (chart, revision) = open(&mut server);
        server.running = Some((chart.clone(), Arc::default(), never()));
        server.documents.close(&file);
        server.touch(&file);
        server.forget();
        open(&mut server);
        server.judged(Some(Outcome {
            chart: chart.clone(),
            revision,
            result: Err(None),
        }));
        let state = &server.charts[&chart];
        assert!(
            state.done != Some(state.revision),
            "it would never be judged"
        );
    }
}

//! Integration tests, one binary. What needs Helm, the corpus or ../shared is skipped aloud where that is missing.

mod broken;
mod commands;
mod configuration;
mod delivery;
mod differential;
mod docs;
mod fix;
mod formats;
mod hostile;
mod lsp;
mod own_rules;
mod page;
mod properties;
mod render;
mod secrets;
mod usage;

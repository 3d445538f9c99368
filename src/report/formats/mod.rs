//! The output formats, one file each. `matrix.rs` and `diff.rs` write what the subcommands
//! `environments` and `diff` print: the [matrix](crate::insight::matrix) and a
//! [diff](crate::insight::diff). The other files are the values of [`Format`]; each is a pure
//! function of a [`Report`].

pub(crate) mod concise;
pub(crate) mod diff;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod html;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod matrix;
pub(crate) mod sarif;
#[cfg(test)]
mod tests;

use crate::report::Report;
pub use human::Style;

/// The formats of `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    Human,
    Concise,
    Json,
    Sarif,
    Junit,
    Github,
    Gitlab,
    Html,
    Markdown,
}

impl Format {
    /// All formats.
    pub fn all() -> &'static [Format] {
        <Format as clap::ValueEnum>::value_variants()
    }
}

impl Report {
    /// Writes the report as text.
    pub fn write(&self, format: Format, style: Style) -> String {
        match format {
            Format::Human => human::write(self, style),
            Format::Concise => concise::write(self),
            Format::Json => json::write(self),
            Format::Sarif => sarif::write(self),
            Format::Junit => junit::write(self),
            Format::Github => github::write(self),
            Format::Gitlab => gitlab::write(self),
            Format::Html => html::write(self),
            Format::Markdown => markdown::write(self),
        }
    }
}

//! Parses pipelines: their commands and operands, and which of their fields may be missing.

use super::{MAX_NESTING, Parse, Parser};
use crate::diagnostic::did_you_mean;
use crate::go::strconv::{self, quote};
use crate::template::function::Function;
use crate::template::lexer::{Token, TokenKind as T};
use crate::template::number;
use crate::template::tree::{Command, Expression, ExpressionKind, Pipe, Range};
use std::borrow::Cow;

impl<'t> Parser<'t> {
    /// Parses a pipeline, including the `end` token.
    pub(super) fn pipeline(&mut self, context: &str, end: T) -> Parse<Pipe> {
        let first = self.peek_non_space();
        let mut pipe = Pipe {
            range: self.range(&first),
            ..Pipe::default()
        };
        (pipe.variables, pipe.assigns) = self.declarations(context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                T::Bool
                | T::CharConstant
                | T::Complex
                | T::Dot
                | T::Field
                | T::Identifier
                | T::Number
                | T::Nil
                | T::RawString
                | T::Str
                | T::Variable
                | T::LeftParen => pipe.commands.push(self.command(token)?),
                _ => return self.unexpected(&token, context),
            }
        }
        if let Some(last) = pipe.commands.last() {
            pipe.range.end = last.range.end;
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    fn check(&mut self, pipe: &Pipe, context: &str) -> Parse<()> {
        if pipe.commands.is_empty() {
            return self.fail(pipe.range, format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            use ExpressionKind as E;
            if let Some(E::Bool(_) | E::Dot | E::Nil | E::Number(_) | E::Str(_)) =
                command.arguments.first().map(|first| &first.kind)
            {
                return self.fail(
                    command.range,
                    format!("non executable command in pipeline stage {}", i + 1),
                );
            }
        }
        Ok(())
    }

    /// Parses `$x :=`, `$x =`, or in a range `$i, $x :=`. Returns the variables, and whether they
    /// are assigned to instead of declared.
    fn declarations(&mut self, context: &str) -> Parse<(Vec<Box<str>>, bool)> {
        let mut variables = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != T::Variable {
                return Ok((variables, false));
            }
            self.next_non_space();
            let after = self.next();
            let next = if after.kind == T::Space {
                self.next_non_space()
            } else {
                after
            };
            let comma = next.kind == T::Char && self.text[next.start..next.end] == *b",";
            if !comma && !matches!(next.kind, T::Assign | T::Declare) {
                self.back(next);
                if after.kind == T::Space {
                    self.back(after);
                }
                self.back(variable);
                return Ok((variables, false));
            }
            let name = self.word(&variable);
            self.tree.variables.push(name);
            variables.push(name.into());
            if !comma {
                return Ok((variables, next.kind == T::Assign));
            }
            if context != "range" || variables.len() >= 2 {
                return self.fail(
                    self.range(&next),
                    format!("too many declarations in {context}"),
                );
            }
            let next = self.peek_non_space();
            if !matches!(next.kind, T::Variable | T::RightDelimiter | T::RightParen) {
                return self.fail(self.range(&next), "range can only initialize variables");
            }
        }
    }

    /// Parses a command whose first token was already read.
    fn command(&mut self, first: Token) -> Parse<Command> {
        let mut arguments = Vec::new();
        let mut token = first;
        loop {
            let next = match self.operand(token)? {
                Some(operand) => {
                    arguments.push(operand);
                    self.next()
                }
                None => token,
            };
            match next.kind {
                T::Space => token = self.next_non_space(),
                T::RightDelimiter | T::RightParen => break self.back(next),
                T::Pipe => break,
                _ => return self.unexpected(&next, "operand"),
            }
        }
        let mut range = self.range(&first);
        match arguments.last() {
            Some(last) => range.end = last.range.end,
            None => return self.fail(range, "empty command"),
        }
        Ok(Command { range, arguments })
    }

    /// Parses an operand (a term and its fields) if `token` begins one.
    fn operand(&mut self, token: Token) -> Parse<Option<Expression>> {
        let Some(term) = self.term(token)? else {
            return Ok(None);
        };
        if self.peek().kind != T::Field {
            return Ok(Some(term));
        }
        let mut range = term.range;
        let names = self.fields(&mut range);
        match &term.kind {
            ExpressionKind::Bool(_)
            | ExpressionKind::Str(_)
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => {
                let shown = quote(term.range.of(self.text));
                self.fail(range, format!("unexpected . after term {shown}"))
            }
            _ => Ok(Some(Expression {
                at: term.range.end,
                range,
                kind: ExpressionKind::Chain {
                    base: Box::new(term),
                    names,
                    guarded: false,
                },
            })),
        }
    }

    /// Parses the fields that follow, and extends `range` to include them.
    fn fields(&mut self, range: &mut Range) -> Vec<Box<str>> {
        let mut names = Vec::new();
        loop {
            let token = self.next();
            if token.kind != T::Field {
                self.back(token);
                return names;
            }
            range.end = token.end as u32;
            names.push(self.field_name(&token));
        }
    }

    /// The text of a token that consists of letters and digits.
    fn word(&self, token: &Token) -> &'t str {
        std::str::from_utf8(&self.text[token.start..token.end]).unwrap_or_default()
    }

    fn field_name(&self, token: &Token) -> Box<str> {
        self.word(token).trim_start_matches('.').into()
    }

    /// Parses a term if `token` begins one. Fields of a function or of an expression in parentheses
    /// are not included.
    fn term(&mut self, token: Token) -> Parse<Option<Expression>> {
        let mut range = self.range(&token);
        let mut at = range.start;
        let kind = match token.kind {
            T::Identifier => ExpressionKind::Function(self.function(&token)?),
            T::Dot => ExpressionKind::Dot,
            T::Nil => ExpressionKind::Nil,
            T::Variable => {
                let name = self.word(&token);
                self.check_variable(name, range)?;
                let end = range.end;
                let fields = self.fields(&mut range);
                if !fields.is_empty() {
                    at = end;
                }
                ExpressionKind::Variable {
                    name: name.into(),
                    fields,
                    guarded: false,
                }
            }
            T::Field => {
                let mut names = vec![self.field_name(&token)];
                let end = range.end;
                names.append(&mut self.fields(&mut range));
                if names.len() > 1 {
                    at = end;
                }
                ExpressionKind::Field {
                    names,
                    guarded: false,
                }
            }
            T::Bool => ExpressionKind::Bool(self.word(&token) == "true"),
            T::CharConstant | T::Complex | T::Number => {
                match number::parse(&self.text[token.start..token.end], token.kind) {
                    Ok(number) => ExpressionKind::Number(Box::new(number)),
                    Err(message) => return self.fail(range, message),
                }
            }
            T::LeftParen => {
                if self.depth >= MAX_NESTING {
                    return self.fail(range, "max expression depth exceeded");
                }
                self.depth += 1;
                let pipe = self.pipeline("parenthesized pipeline", T::RightParen);
                self.depth -= 1;
                let pipe = pipe?;
                at = pipe.range.start;
                range.end = self.last_end() as u32;
                ExpressionKind::Pipe(Box::new(pipe))
            }
            T::Str | T::RawString => ExpressionKind::Str(self.unquoted(&token)?.into()),
            _ => return Ok(None),
        };
        Ok(Some(Expression { at, range, kind }))
    }

    fn check_variable(&mut self, name: &str, range: Range) -> Parse<()> {
        if name == "$" || self.tree.variables.contains(&name) {
            return Ok(());
        }
        let help = did_you_mean(name, self.tree.variables.iter().copied())
            .map(|near| format!("did you mean `{near}`?"));
        self.fail_with_help(
            range,
            format!("undefined variable {}", quote(name.as_bytes())),
            help,
        )
    }

    fn function(&mut self, token: &Token) -> Parse<&'static Function> {
        let name = &self.text[token.start..token.end];
        let name = &*String::from_utf8_lossy(name);
        if let Some(function) = self.functions.get(name) {
            return Ok(function);
        }
        let help = match name {
            "env" | "expandenv" => Some(format!(
                "Helm has no `{name}`, because a chart must not depend on the machine that renders it"
            )),
            _ => did_you_mean(name, self.functions.iter().map(|function| function.name))
                .map(|near| format!("did you mean `{near}`?")),
        };
        self.fail_with_help(
            self.range(token),
            format!("function {} not defined", quote(name.as_bytes())),
            help,
        )
    }

    pub(super) fn unquoted(&mut self, token: &Token) -> Parse<Cow<'t, [u8]>> {
        let text = self.text;
        match strconv::unquote(&text[token.start..token.end]) {
            Ok(text) => Ok(text),
            Err(message) => self.fail(self.range(token), message),
        }
    }
}

/// Marks the fields of a pipeline that the template expects to be missing at times.
pub(super) fn guard_pipe(pipe: &mut Pipe, guarded: bool) {
    let mut later = guarded;
    for command in pipe.commands.iter_mut().rev() {
        let Some((first, arguments)) = command.arguments.split_first_mut() else {
            continue;
        };
        let function = match first.kind {
            ExpressionKind::Function(function) => Some(function),
            _ => None,
        };
        let guards = function.is_some_and(|function| !function.writes_text);
        guard_expression(first, later);
        for argument in arguments {
            guard_expression(argument, later || guards || function.is_none());
        }
        later |= guards;
    }
}

fn guard_expression(expression: &mut Expression, by_context: bool) {
    match &mut expression.kind {
        ExpressionKind::Field { guarded, .. } | ExpressionKind::Variable { guarded, .. } => {
            *guarded = by_context
        }
        ExpressionKind::Chain { base, guarded, .. } => {
            *guarded = by_context;
            guard_expression(base, true);
        }
        ExpressionKind::Pipe(pipe) => guard_pipe(pipe, by_context),
        _ => {}
    }
}

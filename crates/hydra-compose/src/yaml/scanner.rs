//! Characters to tokens: the scanner of YAML 1.1 as PyYAML 6 has it.
//!
//! Hydra reads YAML 1.1, and accepts and refuses exactly what PyYAML does (tabs, `%`, `? `, multi-line plain
//! scalars); parsers of YAML 1.2 differ in many of these places. The structure follows PyYAML's `scanner.py`; the
//! scalars themselves are in [`super::scalar_scanner`].

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::Mark;
use crate::error::ConfigError;

/// One token and where it starts.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) mark: Mark,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    YamlDirective { major: u32 },
    TagDirective { handle: String, prefix: String },
    OtherDirective,
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    FlowEntry,
    BlockEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: Option<String>, suffix: String },
    Scalar { value: String, plain: bool },
}

/// A place where a key without `?` may start.
struct SimpleKey {
    token_number: usize,
    required: bool,
    mark: Mark,
}

impl SimpleKey {
    fn without_value(&self) -> ConfigError {
        let hint = "write `key: value`, with a space after the colon, and nothing before the key on its line";
        super::error_at(self.mark, "expected ':' after a key, got none").with_hint(Some(hint.to_owned()))
    }
}

/// The scanner: hands out tokens one by one.
pub(super) struct Scanner {
    chars: Vec<char>,
    index: usize,
    line: usize,
    column: usize,
    done: bool,
    pub(super) flow_level: usize,
    tokens: VecDeque<Token>,
    tokens_taken: usize,
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) allow_simple_key: bool,
    possible_simple_keys: BTreeMap<usize, SimpleKey>,
}

pub(super) fn is_break(ch: char) -> bool {
    matches!(ch, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_break_or_end(ch: char) -> bool {
    ch == '\0' || is_break(ch)
}

pub(super) fn is_blank_or_end(ch: char) -> bool {
    matches!(ch, ' ' | '\t') || is_break_or_end(ch)
}

impl Scanner {
    /// # Errors
    /// `ErrorKind::Yaml` for a character that YAML does not allow anywhere.
    pub(super) fn new(text: &str) -> Result<Self, ConfigError> {
        let allowed = |ch: char| {
            matches!(ch, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
                | '\u{10000}'..='\u{10ffff}')
        };
        if let Some((at, ch)) = text.char_indices().find(|&(_, ch)| !allowed(ch)) {
            let message = format!("character U+{:04X} is not allowed in YAML", u32::from(ch));
            let before = &text[..at];
            let column = before.rsplit('\n').next().unwrap_or("").chars().count();
            let mark = Mark { index: before.chars().count(), line: before.matches('\n').count(), column };
            let hint = format!("write it as an escape in double quotes: \"\\x{:02X}\"", u32::from(ch));
            return Err(super::error_at(mark, message).with_hint((u32::from(ch) < 0x100).then_some(hint)));
        }
        Ok(Self {
            chars: text.chars().collect(),
            index: 0,
            line: 0,
            column: 0,
            done: false,
            flow_level: 0,
            tokens: VecDeque::new(),
            tokens_taken: 0,
            indent: -1,
            indents: Vec::new(),
            allow_simple_key: true,
            possible_simple_keys: BTreeMap::new(),
        })
    }

    /// The next token, left in place.
    pub(super) fn peek_token(&mut self) -> Result<&Token, ConfigError> {
        while self.need_more_tokens()? {
            self.fetch_more_tokens()?;
        }
        Ok(self.tokens.front().expect("the stream end token is never taken"))
    }

    /// Takes the next token.
    pub(super) fn next_token(&mut self) -> Result<Token, ConfigError> {
        let token = self.peek_token()?;
        if token.kind == TokenKind::StreamEnd {
            return Ok(token.clone());
        }
        self.tokens_taken += 1;
        Ok(self.tokens.pop_front().expect("a token was just seen"))
    }

    // Reading characters.

    /// The character `offset` ahead; NUL at the end.
    pub(super) fn peek(&self, offset: usize) -> char {
        self.chars.get(self.index + offset).copied().unwrap_or('\0')
    }

    pub(super) fn prefix(&self, length: usize) -> String {
        self.chars[self.index.min(self.chars.len())..].iter().take(length).collect()
    }

    fn prefix_is(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, ch)| self.peek(offset) == ch)
    }

    pub(super) fn forward(&mut self, length: usize) {
        for _ in 0..length {
            let Some(&ch) = self.chars.get(self.index) else { return };
            self.index += 1;
            if is_break(ch) && !(ch == '\r' && self.peek(0) == '\n') {
                self.line += 1;
                self.column = 0;
            } else if ch != '\u{feff}' {
                self.column += 1;
            }
        }
    }

    /// Takes `length` characters as text.
    pub(super) fn take(&mut self, length: usize) -> String {
        let text = self.prefix(length);
        self.forward(length);
        text
    }

    pub(super) fn column(&self) -> isize {
        self.column as isize
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { index: self.index, line: self.line, column: self.column }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        super::error_at(self.mark(), message)
    }

    // Deciding what comes next.

    fn need_more_tokens(&mut self) -> Result<bool, ConfigError> {
        if self.done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        // A token may still turn out to be a key, which would put a key token before it.
        self.stale_possible_simple_keys()?;
        Ok(self.possible_simple_keys.values().map(|key| key.token_number).min() == Some(self.tokens_taken))
    }

    fn fetch_more_tokens(&mut self) -> Result<(), ConfigError> {
        self.scan_to_next_token();
        self.stale_possible_simple_keys()?;
        self.unwind_indent(self.column());
        let ch = self.peek(0);
        let next_is_blank = is_blank_or_end(self.peek(1));
        let in_flow = self.flow_level > 0;
        match ch {
            '\0' => self.fetch_stream_end(),
            '%' if self.column == 0 => self.fetch_directive(),
            '-' if self.at_document_indicator("---") => self.fetch_document_indicator(TokenKind::DocumentStart),
            '.' if self.at_document_indicator("...") => self.fetch_document_indicator(TokenKind::DocumentEnd),
            '[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            '{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            ']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            '}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            ',' => self.fetch_flow_entry(),
            '-' if next_is_blank => self.fetch_block_entry(),
            '?' if in_flow || next_is_blank => self.fetch_key(),
            ':' if in_flow || next_is_blank => self.fetch_value(),
            '*' | '&' => {
                self.start_simple_key()?;
                let token = self.scan_anchor()?;
                self.tokens.push_back(token);
                Ok(())
            }
            '!' => {
                self.start_simple_key()?;
                let token = self.scan_tag()?;
                self.tokens.push_back(token);
                Ok(())
            }
            '|' | '>' if !in_flow => {
                self.allow_simple_key = true;
                self.remove_possible_simple_key()?;
                let token = self.scan_block_scalar(ch == '>')?;
                self.tokens.push_back(token);
                Ok(())
            }
            '\'' | '"' => {
                self.start_simple_key()?;
                let token = self.scan_flow_scalar(ch)?;
                self.tokens.push_back(token);
                Ok(())
            }
            _ if self.at_plain() => {
                self.start_simple_key()?;
                let token = self.scan_plain();
                self.tokens.push_back(token);
                Ok(())
            }
            _ => {
                let hint = match ch {
                    '\t' => "YAML is indented with spaces: replace the tab",
                    _ => "put the value in quotes",
                };
                let error = self.error(format!("found character {ch:?} that cannot start any value"));
                Err(error.with_hint(Some(hint.to_owned())))
            }
        }
    }

    pub(super) fn at_document_indicator(&self, indicator: &str) -> bool {
        self.column == 0 && self.prefix_is(indicator) && is_blank_or_end(self.peek(3))
    }

    fn at_plain(&self) -> bool {
        let ch = self.peek(0);
        let indicator = "-?:,[]{}#&*!|>'\"%@`".contains(ch);
        (!indicator && !is_blank_or_end(ch))
            || (!is_blank_or_end(self.peek(1)) && (ch == '-' || (self.flow_level == 0 && (ch == '?' || ch == ':'))))
    }

    // Simple keys.

    fn stale_possible_simple_keys(&mut self) -> Result<(), ConfigError> {
        let (line, index) = (self.line, self.index);
        let stale = |key: &SimpleKey| key.mark.line != line || index - key.mark.index > 1024;
        if let Some(key) = self.possible_simple_keys.values().find(|key| stale(key) && key.required) {
            return Err(key.without_value());
        }
        if self.possible_simple_keys.values().any(stale) {
            self.possible_simple_keys.retain(|_, key| !stale(key));
        }
        Ok(())
    }

    fn start_simple_key(&mut self) -> Result<(), ConfigError> {
        self.save_possible_simple_key()?;
        self.allow_simple_key = false;
        Ok(())
    }

    fn save_possible_simple_key(&mut self) -> Result<(), ConfigError> {
        let required = self.flow_level == 0 && self.indent == self.column();
        if self.allow_simple_key {
            self.remove_possible_simple_key()?;
            let token_number = self.tokens_taken + self.tokens.len();
            let key = SimpleKey { token_number, required, mark: self.mark() };
            self.possible_simple_keys.insert(self.flow_level, key);
        }
        Ok(())
    }

    fn remove_possible_simple_key(&mut self) -> Result<(), ConfigError> {
        match self.possible_simple_keys.remove(&self.flow_level) {
            Some(key) if key.required => Err(key.without_value()),
            _ => Ok(()),
        }
    }

    // Indentation.

    fn unwind_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().expect("every indent was pushed on the one before");
            self.push(TokenKind::BlockEnd);
        }
    }

    fn add_indent(&mut self, column: isize) -> bool {
        if self.indent >= column {
            return false;
        }
        self.indents.push(self.indent);
        self.indent = column;
        true
    }

    fn push(&mut self, kind: TokenKind) {
        self.tokens.push_back(Token { kind, mark: self.mark() });
    }

    // Fetchers: one per kind of token.

    fn fetch_stream_end(&mut self) -> Result<(), ConfigError> {
        self.unwind_indent(-1);
        self.remove_possible_simple_key()?;
        self.allow_simple_key = false;
        self.possible_simple_keys.clear();
        self.push(TokenKind::StreamEnd);
        self.done = true;
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), ConfigError> {
        self.unwind_indent(-1);
        self.remove_possible_simple_key()?;
        self.allow_simple_key = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: TokenKind) -> Result<(), ConfigError> {
        self.unwind_indent(-1);
        self.remove_possible_simple_key()?;
        self.allow_simple_key = false;
        self.push(kind);
        self.forward(3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Result<(), ConfigError> {
        self.save_possible_simple_key()?;
        self.flow_level += 1;
        self.allow_simple_key = true;
        self.push(kind);
        self.forward(1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Result<(), ConfigError> {
        self.remove_possible_simple_key()?;
        // PyYAML goes below zero here; the parser refuses the token in either case.
        self.flow_level = self.flow_level.saturating_sub(1);
        self.allow_simple_key = false;
        self.push(kind);
        self.forward(1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), ConfigError> {
        self.allow_simple_key = true;
        self.remove_possible_simple_key()?;
        self.push(TokenKind::FlowEntry);
        self.forward(1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), ConfigError> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                let hint = "a list starts on a line of its own; put a text that starts with '- ' in quotes".to_owned();
                return Err(self.error("did not expect a list item '-' here").with_hint(Some(hint)));
            }
            if self.add_indent(self.column()) {
                self.push(TokenKind::BlockSequenceStart);
            }
        }
        self.allow_simple_key = true;
        self.remove_possible_simple_key()?;
        self.push(TokenKind::BlockEntry);
        self.forward(1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), ConfigError> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                return Err(self.error("mapping keys are not allowed here"));
            }
            if self.add_indent(self.column()) {
                self.push(TokenKind::BlockMappingStart);
            }
        }
        self.allow_simple_key = self.flow_level == 0;
        self.remove_possible_simple_key()?;
        self.push(TokenKind::Key);
        self.forward(1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), ConfigError> {
        if let Some(key) = self.possible_simple_keys.remove(&self.flow_level) {
            let at = key.token_number - self.tokens_taken;
            self.tokens.insert(at, Token { kind: TokenKind::Key, mark: key.mark });
            if self.flow_level == 0 && self.add_indent(key.mark.column as isize) {
                self.tokens.insert(at, Token { kind: TokenKind::BlockMappingStart, mark: key.mark });
            }
            self.allow_simple_key = false;
        } else {
            if self.flow_level == 0 {
                if !self.allow_simple_key {
                    let hint = "put a text that holds ': ' in quotes; a map starts on a line of its own".to_owned();
                    return Err(self.error("did not expect ':' here").with_hint(Some(hint)));
                }
                if self.add_indent(self.column()) {
                    self.push(TokenKind::BlockMappingStart);
                }
            }
            self.allow_simple_key = self.flow_level == 0;
            self.remove_possible_simple_key()?;
        }
        self.push(TokenKind::Value);
        self.forward(1);
        Ok(())
    }

    // Spaces, comments and line breaks between tokens.

    fn scan_to_next_token(&mut self) {
        if self.index == 0 && self.peek(0) == '\u{feff}' {
            self.forward(1);
        }
        loop {
            while self.peek(0) == ' ' {
                self.forward(1);
            }
            if self.peek(0) == '#' {
                while !is_break_or_end(self.peek(0)) {
                    self.forward(1);
                }
            }
            if self.scan_line_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.allow_simple_key = true;
            }
        }
    }

    /// Takes one line break; the kinds that are mere line ends become `\n`.
    pub(super) fn scan_line_break(&mut self) -> Option<char> {
        match self.peek(0) {
            '\r' | '\n' | '\u{85}' => {
                self.forward(if self.prefix_is("\r\n") { 2 } else { 1 });
                Some('\n')
            }
            ch @ ('\u{2028}' | '\u{2029}') => {
                self.forward(1);
                Some(ch)
            }
            _ => None,
        }
    }
}

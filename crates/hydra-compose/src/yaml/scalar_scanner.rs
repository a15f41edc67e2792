//! The parts of the scanner that read anchors, tags, directives and scalars.

use super::Mark;
use super::scanner::{Scanner, Token, TokenKind, is_blank_or_end, is_break, is_break_or_end};
use crate::error::ConfigError;

/// How a block scalar treats its last line breaks.
#[derive(PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

fn is_word(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '-' || ch == '_'
}

fn is_space_or_break_or_end(ch: char) -> bool {
    ch == ' ' || is_break_or_end(ch)
}

impl Scanner {
    fn count_while(&self, from: usize, accept: impl Fn(char) -> bool) -> usize {
        let mut length = from;
        while accept(self.peek(length)) {
            length += 1;
        }
        length - from
    }

    fn skip_spaces(&mut self) {
        while self.peek(0) == ' ' {
            self.forward(1);
        }
    }

    // Directives.

    pub(super) fn scan_directive(&mut self) -> Result<Token, ConfigError> {
        let mark = self.mark();
        self.forward(1);
        let name = self.take(self.count_while(0, is_word));
        if name.is_empty() || !is_space_or_break_or_end(self.peek(0)) {
            return Err(self.error("a directive needs a name"));
        }
        let kind = match name.as_str() {
            "YAML" => {
                self.skip_spaces();
                let major = self.scan_version_number()?;
                if self.peek(0) != '.' {
                    return Err(self.error("expected a digit or '.' in %YAML"));
                }
                self.forward(1);
                self.scan_version_number()?;
                if !is_space_or_break_or_end(self.peek(0)) {
                    return Err(self.error("expected a digit or ' ' in %YAML"));
                }
                TokenKind::YamlDirective { major }
            }
            "TAG" => {
                self.skip_spaces();
                let handle = self.scan_tag_handle()?;
                if self.peek(0) != ' ' {
                    return Err(self.error("expected ' ' in %TAG"));
                }
                self.skip_spaces();
                let prefix = self.scan_tag_uri()?;
                if !is_space_or_break_or_end(self.peek(0)) {
                    return Err(self.error("expected ' ' in %TAG"));
                }
                TokenKind::TagDirective { handle, prefix }
            }
            _ => {
                while !is_break_or_end(self.peek(0)) {
                    self.forward(1);
                }
                TokenKind::OtherDirective
            }
        };
        self.scan_ignored_line()?;
        Ok(Token { kind, mark })
    }

    fn scan_version_number(&mut self) -> Result<u32, ConfigError> {
        let digits = self.take(self.count_while(0, |ch| ch.is_ascii_digit()));
        digits.parse().map_err(|_| self.error("expected a version number in %YAML"))
    }

    /// What may follow a directive or a block scalar's header: spaces, a comment, the end of the line.
    fn scan_ignored_line(&mut self) -> Result<(), ConfigError> {
        self.skip_spaces();
        if self.peek(0) == '#' {
            while !is_break_or_end(self.peek(0)) {
                self.forward(1);
            }
        }
        if !is_break_or_end(self.peek(0)) {
            return Err(self.error(format!("expected a comment or a line break, but found {:?}", self.peek(0))));
        }
        self.scan_line_break();
        Ok(())
    }

    // Anchors and tags.

    pub(super) fn scan_anchor(&mut self) -> Result<Token, ConfigError> {
        let mark = self.mark();
        let alias = self.peek(0) == '*';
        self.forward(1);
        let name = self.take(self.count_while(0, is_word));
        let end = self.peek(0);
        if name.is_empty() || !(is_blank_or_end(end) || "?:,]}%@`".contains(end)) {
            return Err(self.error(format!("expected a letter or digit in an anchor or alias, but found {end:?}")));
        }
        Ok(Token { kind: if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) }, mark })
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token, ConfigError> {
        let mark = self.mark();
        let (handle, suffix) = match self.peek(1) {
            '<' => {
                self.forward(2);
                let suffix = self.scan_tag_uri()?;
                if self.peek(0) != '>' {
                    return Err(self.error("expected '>' after a tag"));
                }
                self.forward(1);
                (None, suffix)
            }
            ch if is_blank_or_end(ch) => {
                self.forward(1);
                (None, "!".to_owned())
            }
            _ => {
                let length = self.count_while(1, |ch| !is_space_or_break_or_end(ch) && ch != '!');
                let handle = if self.peek(1 + length) == '!' {
                    self.scan_tag_handle()?
                } else {
                    self.forward(1);
                    "!".to_owned()
                };
                (Some(handle), self.scan_tag_uri()?)
            }
        };
        if !is_space_or_break_or_end(self.peek(0)) {
            return Err(self.error(format!("expected ' ' after a tag, but found {:?}", self.peek(0))));
        }
        Ok(Token { kind: TokenKind::Tag { handle, suffix }, mark })
    }

    fn scan_tag_handle(&mut self) -> Result<String, ConfigError> {
        if self.peek(0) != '!' {
            return Err(self.error("expected '!' in a tag handle"));
        }
        let mut length = 1;
        if self.peek(1) != ' ' {
            length += self.count_while(1, is_word);
            if self.peek(length) != '!' {
                return Err(self.error("expected '!' after a tag handle"));
            }
            length += 1;
        }
        Ok(self.take(length))
    }

    fn scan_tag_uri(&mut self) -> Result<String, ConfigError> {
        let mut uri = String::new();
        loop {
            let ch = self.peek(0);
            if ch == '%' {
                uri.push_str(&self.scan_uri_escapes()?);
            } else if ch.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]".contains(ch) {
                uri.push(ch);
                self.forward(1);
            } else {
                break;
            }
        }
        if uri.is_empty() {
            return Err(self.error(format!("expected a tag, but found {:?}", self.peek(0))));
        }
        Ok(uri)
    }

    fn scan_uri_escapes(&mut self) -> Result<String, ConfigError> {
        let mut bytes = Vec::new();
        while self.peek(0) == '%' {
            self.forward(1);
            let code = self.take(2);
            let byte = (code.len() == 2).then(|| u8::from_str_radix(&code, 16).ok()).flatten();
            bytes.push(byte.ok_or_else(|| self.error("expected two hexadecimal digits after '%' in a tag"))?);
        }
        String::from_utf8(bytes).map_err(|_| self.error("the escapes of a tag are not UTF-8"))
    }

    // Block scalars.

    pub(super) fn scan_block_scalar(&mut self, folded: bool) -> Result<Token, ConfigError> {
        let mark = self.mark();
        self.forward(1);
        let (chomping, increment) = self.scan_block_scalar_header()?;
        self.scan_ignored_line()?;
        let min_indent = (self.indent + 1).max(1);
        let (mut breaks, indent) = match increment {
            None => {
                let (breaks, max_indent) = self.scan_block_scalar_indentation();
                (breaks, min_indent.max(max_indent))
            }
            Some(increment) => {
                let indent = min_indent + increment - 1;
                (self.scan_block_scalar_breaks(indent), indent)
            }
        };
        let mut text = String::new();
        let mut line_break = None;
        while self.column() == indent && self.peek(0) != '\0' {
            text.push_str(&breaks);
            let leading_non_space = !matches!(self.peek(0), ' ' | '\t');
            let line = self.take(self.count_while(0, |ch| !is_break_or_end(ch)));
            text.push_str(&line);
            line_break = self.scan_line_break();
            breaks = self.scan_block_scalar_breaks(indent);
            if self.column() != indent || self.peek(0) == '\0' {
                break;
            }
            // Folding keeps the breaks around lines that are indented further.
            let folds = folded && line_break == Some('\n') && leading_non_space;
            if folds && !matches!(self.peek(0), ' ' | '\t') {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(line_break);
            }
        }
        if chomping != Chomping::Strip {
            text.extend(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        Ok(Token { kind: TokenKind::Scalar { value: text, plain: false }, mark })
    }

    fn scan_block_scalar_header(&mut self) -> Result<(Chomping, Option<isize>), ConfigError> {
        let (mut chomping, mut increment) = (None, None);
        for _ in 0..2 {
            match self.peek(0) {
                ch @ ('+' | '-') if chomping.is_none() => {
                    chomping = Some(if ch == '+' { Chomping::Keep } else { Chomping::Strip });
                    self.forward(1);
                }
                ch @ '0'..='9' if increment.is_none() => {
                    if ch == '0' {
                        return Err(self.error("expected an indentation indicator from 1 to 9, but found 0"));
                    }
                    increment = Some(ch as isize - '0' as isize);
                    self.forward(1);
                }
                _ => break,
            }
        }
        if !is_space_or_break_or_end(self.peek(0)) {
            let found = self.peek(0);
            return Err(self.error(format!("expected chomping or indentation indicators, but found {found:?}")));
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_block_scalar_indentation(&mut self) -> (String, isize) {
        let (mut breaks, mut max_indent) = (String::new(), 0);
        loop {
            if self.peek(0) == ' ' {
                self.forward(1);
                max_indent = max_indent.max(self.column());
            } else if let Some(ch) = self.scan_line_break() {
                breaks.push(ch);
            } else {
                return (breaks, max_indent);
            }
        }
    }

    fn scan_block_scalar_breaks(&mut self, indent: isize) -> String {
        let mut breaks = String::new();
        loop {
            while self.column() < indent && self.peek(0) == ' ' {
                self.forward(1);
            }
            match self.scan_line_break() {
                Some(ch) => breaks.push(ch),
                None => return breaks,
            }
        }
    }

    // Quoted scalars.

    pub(super) fn scan_flow_scalar(&mut self, quote: char) -> Result<Token, ConfigError> {
        let mark = self.mark();
        let double = quote == '"';
        let mut text = String::new();
        self.forward(1);
        self.scan_flow_scalar_non_spaces(double, &mut text)?;
        while self.peek(0) != quote {
            self.scan_flow_scalar_spaces(mark, &mut text)?;
            self.scan_flow_scalar_non_spaces(double, &mut text)?;
        }
        self.forward(1);
        Ok(Token { kind: TokenKind::Scalar { value: text, plain: false }, mark })
    }

    fn scan_flow_scalar_non_spaces(&mut self, double: bool, text: &mut String) -> Result<(), ConfigError> {
        loop {
            let run = self.count_while(0, |ch| !matches!(ch, '\'' | '"' | '\\') && !is_blank_or_end(ch));
            text.push_str(&self.take(run));
            match self.peek(0) {
                '\'' if !double && self.peek(1) == '\'' => {
                    text.push('\'');
                    self.forward(2);
                }
                ch if (double && ch == '\'') || (!double && (ch == '"' || ch == '\\')) => {
                    text.push(ch);
                    self.forward(1);
                }
                '\\' if double => {
                    self.forward(1);
                    self.scan_escape(text)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn scan_escape(&mut self, text: &mut String) -> Result<(), ConfigError> {
        let ch = self.peek(0);
        let simple = match ch {
            '0' => '\0',
            'a' => '\u{07}',
            'b' => '\u{08}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{0b}',
            'f' => '\u{0c}',
            'r' => '\r',
            'e' => '\u{1b}',
            ' ' | '"' | '\\' | '/' => ch,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' | 'u' | 'U' => {
                let length = match ch {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                self.forward(1);
                let code = self.take(length);
                let hex = code.len() == length && code.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = hex.then(|| u32::from_str_radix(&code, 16).ok()).flatten();
                let decoded = code.and_then(char::from_u32);
                text.push(decoded.ok_or_else(|| self.error("expected a hexadecimal character code"))?);
                return Ok(());
            }
            _ if is_break(ch) => {
                self.scan_line_break();
                text.push_str(&self.scan_flow_scalar_breaks()?);
                return Ok(());
            }
            _ => return Err(self.error(format!("found unknown escape character {ch:?}"))),
        };
        text.push(simple);
        self.forward(1);
        Ok(())
    }

    fn scan_flow_scalar_spaces(&mut self, start: Mark, text: &mut String) -> Result<(), ConfigError> {
        let spaces = self.take(self.count_while(0, |ch| matches!(ch, ' ' | '\t')));
        if self.peek(0) == '\0' {
            return Err(super::error_at(start, "a quoted text has no end"));
        }
        match self.scan_line_break() {
            Some(line_break) => {
                let breaks = self.scan_flow_scalar_breaks()?;
                if line_break != '\n' {
                    text.push(line_break);
                } else if breaks.is_empty() {
                    text.push(' ');
                }
                text.push_str(&breaks);
            }
            None => text.push_str(&spaces),
        }
        Ok(())
    }

    fn scan_flow_scalar_breaks(&mut self) -> Result<String, ConfigError> {
        let mut breaks = String::new();
        loop {
            if self.at_document_indicator("---") || self.at_document_indicator("...") {
                return Err(self.error("found a document separator inside a quoted text"));
            }
            while matches!(self.peek(0), ' ' | '\t') {
                self.forward(1);
            }
            match self.scan_line_break() {
                Some(ch) => breaks.push(ch),
                None => return Ok(breaks),
            }
        }
    }

    // Plain scalars.

    pub(super) fn scan_plain(&mut self) -> Token {
        let mark = self.mark();
        let indent = self.indent + 1;
        let in_flow = self.flow_level > 0;
        let mut text = String::new();
        let mut spaces = String::new();
        loop {
            if self.peek(0) == '#' {
                break;
            }
            let mut length = 0;
            loop {
                let (ch, next) = (self.peek(length), self.peek(length + 1));
                let ends_key = ch == ':' && (is_blank_or_end(next) || (in_flow && ",[]{}".contains(next)));
                if is_blank_or_end(ch) || ends_key || (in_flow && ",?[]{}".contains(ch)) {
                    break;
                }
                length += 1;
            }
            if length == 0 {
                break;
            }
            self.allow_simple_key = false;
            text.push_str(&spaces);
            text.push_str(&self.take(length));
            spaces = self.scan_plain_spaces();
            if spaces.is_empty() || self.peek(0) == '#' || (!in_flow && self.column() < indent) {
                break;
            }
        }
        Token { kind: TokenKind::Scalar { value: text, plain: true }, mark }
    }

    fn scan_plain_spaces(&mut self) -> String {
        let spaces = self.take(self.count_while(0, |ch| ch == ' '));
        let Some(line_break) = self.scan_line_break() else { return spaces };
        self.allow_simple_key = true;
        let mut breaks = String::new();
        loop {
            if self.at_document_indicator("---") || self.at_document_indicator("...") {
                return String::new();
            }
            let mut at_break = false;
            while self.peek(0) == ' ' {
                self.forward(1);
            }
            if let Some(ch) = self.scan_line_break() {
                breaks.push(ch);
                at_break = true;
            }
            if !at_break {
                break;
            }
        }
        if line_break != '\n' {
            breaks.insert(0, line_break);
        } else if breaks.is_empty() {
            breaks.push(' ');
        }
        breaks
    }
}

//! Rust source split into code and comments, by a scanner that knows strings and nothing else.
//!
//! Both halves keep every line break and every column, so a place in one is a place in the file.

/// The two halves of a source file.
pub(crate) struct Source {
    /// Comments and the insides of strings are blank.
    pub(crate) code: String,
    /// Everything but comments is blank.
    pub(crate) comments: String,
}

/// A path as it is written: `crate::store::product`, in its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Path {
    /// The segments of the path.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.split("::")
    }

    pub(crate) fn root(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut code = blank(bytes);
        let mut comments = code.clone();
        let mut at = 0;
        while at < bytes.len() {
            let (end, kind) = piece(bytes, at);
            match kind {
                Kind::Code => code[at..end].copy_from_slice(&bytes[at..end]),
                Kind::Comment => comments[at..end].copy_from_slice(&bytes[at..end]),
                Kind::Literal => {}
            }
            at = end;
        }
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { code: text(&code), comments: text(&comments) }
    }

    /// The code without its `#[cfg(test)]` items, which may know more than the code they test.
    pub(crate) fn product_code(&self) -> String {
        const MARK: &str = "#[cfg(test)]";
        let mut code = self.code.clone().into_bytes();
        let mut from = 0;
        while let Some(found) = self.code[from..].find(MARK) {
            let start = from + found;
            let end = item_end(self.code.as_bytes(), start + MARK.len());
            let hidden = blank(&code[start..end]);
            code[start..end].copy_from_slice(&hidden);
            from = end;
        }
        String::from_utf8_lossy(&code).into_owned()
    }
}

enum Kind {
    Code,
    Comment,
    Literal,
}

/// The end of the piece that starts here, and what it is.
fn piece(bytes: &[u8], at: usize) -> (usize, Kind) {
    let rest = &bytes[at..];
    let end = |length: usize| (at + length).min(bytes.len());
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return (end(length), Kind::Comment);
    }
    if rest.starts_with(b"/*") {
        return (end(block_comment(rest)), Kind::Comment);
    }
    if rest[0] == b'"' {
        return (end(quoted(rest)), Kind::Literal);
    }
    if is_word(rest[0]) {
        let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        let raw = matches!(&rest[..length], b"r" | b"br" | b"cr");
        if let Some(literal) = raw.then(|| raw_string(&rest[length..])).flatten() {
            return (end(length + literal), Kind::Literal);
        }
        return (end(length), Kind::Code);
    }
    if rest[0] == b'\'' {
        return match character(rest) {
            Some(length) => (end(length), Kind::Literal),
            None => (end(1), Kind::Code),
        };
    }
    (end(1), Kind::Code)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `#"…"#` behind the letter of a raw string; `r#type` is none.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &rest[..hashes]].concat();
    let body = &rest[hashes + 1..];
    let found = body.windows(close.len()).position(|window| window == close);
    Some(found.map_or(rest.len(), |at| hashes + 1 + at + close.len()))
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        // The escaped character itself may be the quote.
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(close + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]).unwrap_or_else(|error| {
        std::str::from_utf8(&rest[1..][..error.valid_up_to()]).unwrap_or("")
    });
    let width = text.chars().next()?.len_utf8();
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// The end of the item behind an attribute: its closing brace, or its semicolon.
fn item_end(code: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && *byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A word, `::`, or one other character, with its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'code> {
    pub(crate) line: usize,
    pub(crate) text: &'code str,
}

impl Token<'_> {
    pub(crate) fn is_word(&self) -> bool {
        self.text.bytes().next().is_some_and(is_word)
    }
}

/// The code in tokens, without the space between them.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            byte if is_word(byte) => {
                rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
            }
            b':' if rest.starts_with(b"::") => 2,
            _ => 1,
        };
        if !rest[0].is_ascii_whitespace() {
            found.push(Token { line, text: &code[at..at + length] });
        }
        line += usize::from(rest[0] == b'\n');
        at += length;
    }
    found
}

/// Every path that the code names, by `use` or in place. A `use` tree gives one path per leaf.
pub(crate) fn paths(code: &str) -> Vec<Path> {
    let mut reader = Reader { tokens: tokens(code), at: 0, found: Vec::new() };
    while reader.at < reader.tokens.len() {
        reader.step();
    }
    reader.found
}

struct Reader<'code> {
    tokens: Vec<Token<'code>>,
    at: usize,
    found: Vec<Path>,
}

impl<'code> Reader<'code> {
    fn text(&self, at: usize) -> &'code str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn step(&mut self) {
        let token = self.tokens[self.at];
        self.at += 1;
        // `impl Trait + use<'a>` captures; it imports nothing.
        if token.text == "use" && self.text(self.at) != "<" {
            if self.text(self.at) == "::" {
                self.at += 1;
            }
            self.use_tree("");
        } else if token.is_word() && self.text(self.at) == "::" {
            let mut text = token.text.to_owned();
            while self.text(self.at) == "::" && self.word_at(self.at + 1) {
                text = format!("{text}::{}", self.text(self.at + 1));
                self.at += 2;
            }
            self.found.push(Path { line: token.line, text });
        }
    }

    fn use_tree(&mut self, before: &str) {
        if self.text(self.at) == "{" {
            self.at += 1;
            while !matches!(self.text(self.at), "}" | ";" | "") {
                self.use_tree(before);
                if self.text(self.at) == "," {
                    self.at += 1;
                }
            }
            self.at += 1;
            return;
        }
        let Some(token) = self.tokens.get(self.at).copied() else { return };
        self.at += 1;
        let text = format!("{before}{}", token.text);
        if self.text(self.at) == "::" {
            self.at += 1;
            return self.use_tree(&format!("{text}::"));
        }
        if self.text(self.at) == "as" {
            self.at += 2;
        }
        self.found.push(Path { line: token.line, text });
    }

    fn word_at(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_word)
    }
}

#[cfg(test)]
mod tests;

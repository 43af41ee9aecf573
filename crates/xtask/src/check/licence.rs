//! Licence expressions (SPDX) against a list of allowed licences.

use anyhow::{Result, bail};

/// Whether one may use what stands under this expression with the allowed licences alone.
pub(super) fn allowed(expression: &str, allow: &[String]) -> Result<bool> {
    // The slash is how crates said OR before the expressions were a standard.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader { words: spaced.split_whitespace().collect(), at: 0, allow };
    let verdict = reader.any();
    match (verdict, reader.at == reader.words.len()) {
        (Some(verdict), true) => Ok(verdict),
        _ => bail!("`{expression}` is no licence expression"),
    }
}

struct Reader<'text> {
    words: Vec<&'text str>,
    at: usize,
    allow: &'text [String],
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Option<&'text str> {
        self.at += 1;
        self.words.get(self.at - 1).copied()
    }

    fn follows(&mut self, word: &str) -> bool {
        let follows = self.words.get(self.at) == Some(&word);
        self.at += usize::from(follows);
        follows
    }

    /// Alternatives; `AND` binds closer than `OR`.
    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.follows("OR") {
            // Read in any case: the rest has to be an expression too.
            let other = self.all()?;
            verdict |= other;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.follows("AND") {
            let other = self.one()?;
            verdict &= other;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.follows("(") {
            let verdict = self.any()?;
            return self.follows(")").then_some(verdict);
        }
        let mut licence = self.next()?.to_owned();
        if matches!(&*licence, "OR" | "AND" | "WITH" | ")") {
            return None;
        }
        if self.follows("WITH") {
            licence = format!("{licence} WITH {}", self.next()?);
        }
        Some(self.allow.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        let allow =
            ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, verdict) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT AND ISC", true),
            ("GPL-3.0-only AND ISC OR MIT", true),
            ("GPL-3.0-only AND (ISC OR MIT)", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
        ] {
            assert_eq!(allowed(expression, &allow).expect(expression), verdict, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "AND MIT", "MIT WITH"] {
            assert!(allowed(expression, &[]).is_err(), "{expression}");
        }
    }
}

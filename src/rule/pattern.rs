//! Placeholder until the translator lands.
use regex::Regex;

/// A pattern in Go's regexp syntax that matches the whole path.
#[derive(Clone, Debug)]
pub struct AnchoredRegex {
    source: String,
    regex: Regex,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl AnchoredRegex {
    /// Compiles it.
    ///
    /// # Errors
    /// When it is no pattern.
    pub fn new(go_pattern: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(&format!("\\A(?:{go_pattern})\\z"))
            .map_err(|e| PatternError(e.to_string()))?;
        Ok(Self { source: go_pattern.to_owned(), regex })
    }

    /// Whether it matches the whole path.
    pub fn is_match(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it has a top-level `|`.
    pub fn has_top_level_alternation(&self) -> bool {
        false
    }
}

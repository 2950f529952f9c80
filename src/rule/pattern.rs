//! Patterns for paths, in the syntax that users of the older proxy know.
//!
//! wollomatic/socket-proxy compiled its allow lists with Go's `regexp`. The `regex` crate descends
//! from the same RE2 and looks the same, but there are some twenty places where one text means two
//! things: in Rust `\d` matches digits of all scripts, `\<` is a word boundary, `&&` in a class is
//! an intersection. A rule must not come to allow more because it was carried over, so a pattern is
//! read as Go reads it and is compiled to match exactly what Go would match, or is refused.
//!
//! One thing differs on purpose. The older proxy put `^` and `$` around the text of the pattern, so
//! that in `/a|/b` only one end of either alternative was anchored, and `(?m)` let a path go on
//! after a line feed. Here a pattern always means the whole path.
//! [`AnchoredRegex::has_top_level_alternation`] tells whether a pattern had that trap in it.

mod cursor;
mod slips;
mod translate;
mod unicode_class;

use crate::text::escape_into;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::borrow::Cow;
use std::sync::Arc;
use translate::{Fault, fault};

/// What a pattern may be long. Patterns come from container labels too, and compiling takes time.
const MAX_PATTERN_BYTES: usize = 8 * 1024;

/// What a compiled pattern may hold, once forwards and once backwards.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;

/// What each thread may remember of a pattern's states; beyond it they are computed anew, or
/// matching gets slower.
const MAX_CACHE_BYTES: usize = 128 * 1024;

/// What patterns that are tried together may hold when they are compiled, and what each thread may remember of their states.
const MAX_SET_BYTES: usize = 8 * 1024 * 1024;
const MAX_SET_CACHE_BYTES: usize = 1024 * 1024;

/// Each group costs at most four levels of the engine's syntax tree (group, alternation, sequence,
/// repetition).
const NEST_LIMIT: u32 = 512;

/// How much of a pattern an error repeats, on either side of the fault.
const EXCERPT_BYTES: usize = 80;

/// A pattern in Go's regexp syntax that matches the whole path.
#[derive(Clone, Debug)]
pub struct AnchoredRegex {
    source: Arc<str>,
    // INVARIANT: begins with `\A(?:` and ends with `)\z`, with something balanced between
    regex: Regex,
    has_top_level_alternation: bool,
}

impl AnchoredRegex {
    /// Compiles a pattern; `^` and `$` around it are allowed and change nothing.
    ///
    /// # Errors
    ///
    /// When the pattern is empty, when Go's `regexp.Compile` would refuse it, when it is too large,
    /// and in the rare cases where its meaning in Go cannot be expressed (a surrogate escape such
    /// as `\x{D800}`) or is surely not meant (`a*(?i)*`).
    pub fn new(go_pattern: &str) -> Result<Self, PatternError> {
        let error = |fault| PatternError::new(go_pattern, fault);
        check_length(go_pattern).map_err(error)?;
        let translation = translate::translate(go_pattern).map_err(error)?;
        let regex = RegexBuilder::new(&format!(r"\A(?:{})\z", translation.regex))
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|refusal| error(engine_fault(&refusal, translation.most_copies_at)))?;
        let has_top_level_alternation = translation.has_top_level_alternation;
        Ok(Self { source: go_pattern.into(), regex, has_top_level_alternation })
    }

    /// Whether the pattern matches all of `path`.
    pub fn is_match(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// The pattern as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether a `|` stands outside of all parentheses.
    ///
    /// The older proxy anchored only the outer ends of such a pattern, so it may have allowed paths
    /// that do not match any more.
    pub fn has_top_level_alternation(&self) -> bool {
        self.has_top_level_alternation
    }
}

/// Many patterns, tried at once in the time of one.
#[derive(Debug, Clone)]
pub struct PatternSet(RegexSet);

impl PatternSet {
    /// Puts patterns together; `None` where they are too large for that.
    pub fn new<'a>(patterns: impl Iterator<Item = &'a AnchoredRegex>) -> Option<Self> {
        // The translated texts say everything, their flags too.
        RegexSetBuilder::new(patterns.map(|pattern| pattern.regex.as_str()))
            .size_limit(MAX_SET_BYTES)
            .dfa_size_limit(MAX_SET_CACHE_BYTES)
            .nest_limit(NEST_LIMIT)
            .build()
            .ok()
            .map(Self)
    }

    /// The place of the first pattern that matches all of `path`.
    pub fn first_match(&self, path: &str) -> Option<usize> {
        self.0.matches(path).iter().next()
    }
}

/// What is wrong with a pattern, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{excerpt}` is not a valid pattern at byte {offset_bytes}: {problem}; {remedy}")]
pub struct PatternError {
    excerpt: String,
    offset_bytes: usize,
    problem: Cow<'static, str>,
    remedy: Cow<'static, str>,
}

impl PatternError {
    fn new(pattern: &str, Fault { offset_bytes, problem, remedy }: Fault) -> Self {
        Self { excerpt: excerpt(pattern, offset_bytes), offset_bytes, problem, remedy }
    }

    /// Where in the pattern, as it was written, the trouble starts.
    pub fn offset_bytes(&self) -> usize {
        self.offset_bytes
    }

    /// What is wrong, as a clause without a full stop.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What the author of the pattern can do, as a clause without a full stop.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

fn check_length(pattern: &str) -> Result<(), Fault> {
    if pattern.is_empty() {
        return Err(fault(
            0,
            "it is empty and no path is",
            "write the path to allow, or leave the rule out",
        ));
    }
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(fault(
            MAX_PATTERN_BYTES,
            format!("it goes on after {MAX_PATTERN_BYTES} bytes"),
            "split it at a `|` into several patterns",
        ));
    }
    Ok(())
}

/// Tells why the engine refuses what the translation produced.
fn engine_fault(refusal: &regex::Error, most_copies_at: usize) -> Fault {
    match refusal {
        regex::Error::CompiledTooBig(limit_bytes) => fault(
            most_copies_at,
            format!("it takes more than {} KiB of memory when compiled", limit_bytes / 1024),
            "use smaller numbers in `{..}`, or `*` or `+` for any number",
        ),
        // no translation known to us gets here: the limits on nesting are lower, and the names for
        // `\p` are checked
        _ => fault(
            0,
            "the engine cannot express it",
            "write it in simpler terms, and please report this",
        ),
    }
}

/// What of a pattern to print: one line, harmless to a terminal and a log, and not much of it.
fn excerpt(pattern: &str, offset_bytes: usize) -> String {
    let shown =
        offset_bytes.saturating_sub(EXCERPT_BYTES)..=offset_bytes.saturating_add(EXCERPT_BYTES);
    let mut excerpt = String::new();
    let mut cut = false;
    for (at, c) in pattern.char_indices() {
        if !shown.contains(&at) {
            if !cut {
                excerpt.push('…');
            }
            cut = true;
            continue;
        }
        cut = false;
        escape_into(&mut excerpt, std::iter::once(c));
    }
    excerpt
}

#[cfg(test)]
mod tests;

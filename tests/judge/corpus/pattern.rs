//! No pattern makes compiling or matching panic; one that compiles is kept as it was written, and means the whole path: anchors and a
//! group around it, and itself as its own alternative, change nothing.
//!
//! The input is a pattern, then after a line feed the path it is tried on.

use sockwarden::rule::AnchoredRegex;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "/v1.41/containers/json"));
    let regex = match AnchoredRegex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => {
            assert!(error.offset_bytes() <= pattern.len(), "{pattern:?}");
            let message = error.to_string();
            assert!(!message.chars().any(char::is_control), "{message:?}");
            return;
        }
    };
    assert_eq!(regex.as_str(), pattern);
    let matches = regex.is_match(path);
    for same in [format!("^(?:{pattern})$"), format!("(?:{pattern})|(?:{pattern})")] {
        // The longer one may be over a limit.
        if let Ok(regex) = AnchoredRegex::new(&same) {
            assert_eq!(regex.is_match(path), matches, "{pattern:?} and {same:?} on {path:?}");
        }
    }
    if pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-:,@!".contains(&byte)) {
        assert_eq!(matches, pattern == path, "{pattern:?} on {path:?}");
    }
}

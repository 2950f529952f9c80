//! No pattern makes compiling or matching panic, and a pattern that compiles is kept as it was written.
//!
//! The input is a pattern, then after a line feed the path it is tried on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockwarden::rule::AnchoredRegex;

fuzz_target!(|text: &str| {
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "/v1.41/containers/json"));
    if let Ok(regex) = AnchoredRegex::new(pattern) {
        assert_eq!(regex.as_str(), pattern);
        let _ = regex.is_match(path);
    }
});

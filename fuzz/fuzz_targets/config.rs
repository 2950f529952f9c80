//! No command line and no environment makes loading panic, and no report holds a control character but the line feed.
//!
//! The input is lines: `NAME=value` in capitals is a variable, anything else a word.
#![no_main]

use std::ffi::OsString;

use libfuzzer_sys::fuzz_target;
use sockwarden::config::Config;

fuzz_target!(|text: &str| {
    let (variables, words): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with("SP_") && line.contains('='));
    let variables = variables
        .into_iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    if let Err(mistakes) = Config::load(words.into_iter().map(OsString::from), variables) {
        let report = mistakes.to_string();
        assert!(!report.chars().any(|c| c.is_control() && c != '\n'), "{report:?}");
    }
});

//! No command line and no environment makes loading panic; no report holds a control character but the line feed; saying everything
//! twice changes nothing, because the last one of a setting counts; and one unknown flag is enough to refuse it all.
//!
//! The input is lines: `SP_NAME=value` is a variable, anything else a word.

use std::ffi::OsString;

use sockwarden::config::{Config, Loaded};
use sockwarden::request::Method;
use sockwarden::rule::RuleSet;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (variables, words): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with("SP_") && line.contains('='));
    let variables: Vec<(OsString, OsString)> = variables
        .into_iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let load = |words: &[&str]| {
        Config::load(words.iter().map(OsString::from), variables.iter().cloned().rev())
    };
    match load(&words) {
        Err(mistakes) => {
            let report = mistakes.to_string();
            assert!(!report.chars().any(|c| c.is_control() && c != '\n'), "{report:?}");
            assert!(mistakes.iter().count() <= report.lines().count(), "{report:?}");
        }
        Ok(Loaded::Help | Loaded::Version) => {}
        Ok(Loaded::Serve(config)) => {
            let with_unknown: Vec<_> = ["-x-y"].iter().chain(&words).copied().collect();
            assert!(load(&with_unknown).is_err(), "{text:?}");
            if words.contains(&"--") {
                return;
            }
            let Ok(Loaded::Serve(twice)) = load(&[words.as_slice(), &words].concat()) else {
                panic!("what was said once could not be said twice: {text:?}");
            };
            for method in Method::ALL {
                let patterns = |rules: &RuleSet| -> std::collections::BTreeSet<String> {
                    rules.of(method).iter().map(|rule| rule.path.as_str().to_owned()).collect()
                };
                assert_eq!(patterns(&config.rules), patterns(&twice.rules), "{text:?}");
            }
            let without_rules = |mut config: Config| {
                config.rules = RuleSet::default();
                config.warnings.clear();
                format!("{config:?}")
            };
            assert_eq!(without_rules(*config), without_rules(*twice), "{text:?}");
        }
    }
}

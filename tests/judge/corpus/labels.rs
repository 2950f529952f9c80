//! What a set of labels gives is the sum of what each gives, one that is wrong costs everything, and strangers' labels count for nothing.
//!
//! The input is lines, `key=value` each; the first one names the prefixes, with commas between them.

use std::collections::BTreeMap;

use sockwarden::request::Method;
use sockwarden::rule::labels::{LabelError, LabelReader, Rights, is_policy, is_reserved};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (prefixes, lines) = text.split_once('\n').unwrap_or(("socket-proxy,sockwarden", text));
    let prefixes: Vec<String> = prefixes.split(',').map(str::to_owned).collect();
    let labels: BTreeMap<String, String> = lines
        .lines()
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut reader = LabelReader::default();
    let together = reader.rights(&labels, &prefixes);
    let again = reader.rights(&labels, &prefixes);
    assert_eq!(together.to_string(), again.to_string(), "{text:?}");

    let each: Vec<_> = labels
        .iter()
        .map(|(key, value)| {
            let one = BTreeMap::from([(key.clone(), value.clone())]);
            let rights = LabelReader::default().rights(&one, &prefixes);
            let speaks = !matches!(rights, Rights::Unlabelled);
            assert!(is_reserved(key, &prefixes) || !speaks, "{key:?} speaks and can be set");
            let strict = prefixes.iter().any(|prefix| prefix == "sockwarden");
            let others = ["sockwarden.x-", "sockwarden.creator"];
            let is_ours = key.starts_with("sockwarden.")
                && !others.iter().any(|other| key.starts_with(other));
            assert!(speaks || !strict || !is_ours, "{key:?} is passed over");
            assert_eq!(speaks, is_policy(key, &prefixes), "{key:?}");
            rights
        })
        .collect();
    let broken = each.iter().any(|rights| matches!(rights, Rights::Broken(_)));
    let silent = each.iter().all(|rights| matches!(rights, Rights::Unlabelled));
    match together {
        Rights::Unlabelled => assert!(silent, "{text:?}"),
        // Two labels that are right by themselves may contradict each other.
        Rights::Broken(errors) if !broken => {
            let contradiction = |error| {
                matches!(error, &(LabelError::Contradiction { .. } | LabelError::More { .. }))
            };
            assert!(errors.iter().all(contradiction), "{text:?}");
        }
        Rights::Broken(errors) => {
            let single = each.iter().filter(|rights| matches!(rights, Rights::Broken(_)));
            assert!(single.count().min(8) <= errors.len(), "{text:?}");
        }
        Rights::Own(own) => {
            assert!(!broken && !silent, "{text:?}");
            for method in Method::ALL {
                let single = each.iter().filter_map(|rights| match rights {
                    Rights::Own(own) => Some(own.rules.of(method)),
                    Rights::Unlabelled | Rights::Broken(_) => None,
                });
                let single: Vec<&str> = single.flatten().map(|rule| rule.path.as_str()).collect();
                let rules = own.rules.of(method).iter();
                assert_eq!(rules.map(|rule| rule.path.as_str()).collect::<Vec<_>>(), single);
            }
            // What limits one of them limits the whole, and what widens has to stand there.
            let single = || {
                each.iter().filter_map(|rights| match rights {
                    Rights::Own(own) => Some(own),
                    Rights::Unlabelled | Rights::Broken(_) => None,
                })
            };
            assert_eq!(own.may_label, single().any(|one| one.may_label), "{text:?}");
            let mut access = single().filter_map(|one| one.host_access);
            assert_eq!(own.host_access, access.next(), "{text:?}");
            assert!(access.all(|access| Some(access) == own.host_access), "{text:?}");
            let directories = own.bind_mount_from.iter().flatten();
            for directory in directories {
                assert!(directory.is_absolute(), "{directory:?}");
                let text = directory.to_str().unwrap();
                let odd = |part: &str| matches!(part, "" | "." | "..");
                assert!(text == "/" || !text.split('/').skip(1).any(odd), "{directory:?}");
            }
        }
    }
}

//! Words in place of patterns.

use crate::request::Operation;
use crate::risks::{allows, beyond_operations, risk, risk_of_word};
use crate::rule::words::Bundle;
use crate::rule::{Allowlist, HostAccess};

/// How many operations a message names.
const MOST_NAMED: usize = 8;

/// What the patterns of a list give that words would not, and the words; `None` if they give no more. `by_patterns` is the access to the host
/// that patterns have there.
pub(super) fn wider_than_words(list: &Allowlist, by_patterns: HostAccess) -> Option<String> {
    if list.rules.is_empty() {
        return None;
    }
    let given: Vec<Operation> = Operation::all()
        .filter(|operation| !operation.is_ping() && allows(&list.rules, *operation))
        .collect();
    let words = fewest_words(&given).join(", ");
    let (level, of_words) = (risk(list, by_patterns).level, risk_of_word(&words).level);
    let wide = beyond_operations(&list.rules);
    let why = match wide {
        Some(rule) => format!(
            "`{}` in `{}` allows more than operations, and whatever later versions of the API have there",
            rule.path.as_str(),
            rule.origin
        ),
        None if level > of_words => {
            format!(
                "its patterns give access to the host (risk {level:?}, with words {of_words:?})"
            )
        }
        None => return None,
    };
    let named: Vec<_> = given.iter().take(MOST_NAMED).map(|it| it.id()).collect();
    let more = if given.len() > MOST_NAMED {
        format!(" and {} more", given.len() - MOST_NAMED)
    } else {
        String::new()
    };
    Some(format!(
        "{why}; of operations it allows {}{more}; as words: `{words}`; leave out what the client does not need",
        named.join(", ")
    ))
}

/// The fewest words that give these operations and no other.
pub(super) fn fewest_words(operations: &[Operation]) -> Vec<&'static str> {
    let mut left = operations.to_vec();
    let mut words = Vec::new();
    for bundle in Bundle::ALL {
        let members: Vec<_> = bundle.members().map(|(operation, _)| operation).collect();
        let fits = members.iter().all(|member| operations.contains(member));
        if fits && members.iter().any(|member| left.contains(member)) {
            words.push(bundle.name());
            left.retain(|operation| !members.contains(operation));
        }
    }
    words.extend(left.into_iter().map(Operation::id));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Origin;
    use crate::rule::words::Words;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let words = Words::read(text, &Origin::Flag("-allow".to_owned())).unwrap();
        let given: Vec<_> = Operation::all().filter(|it| words.gives(*it)).collect();
        assert_eq!(fewest_words(&given), want, "{text}");
    }

    #[test]
    fn bundles_stand_for_their_members() {
        check("read, ContainerLogs", &["read", "logs"]);
        check("ContainerTop, ContainerStats, ContainerList", &["stats", "ContainerList"]);
        check("pull", &["pull"]);
        check(
            "dozzle",
            &[
                "logs",
                "SystemVersion",
                "SystemInfo",
                "SystemEvents",
                "ContainerList",
                "ContainerInspect",
                "ContainerStats",
            ],
        );
    }
}

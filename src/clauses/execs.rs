//! Execs that are there already: which container one runs in does not show in its path.

use crate::request::Method;
use crate::request::json::Json;
use crate::rule::AnchoredRegex;
use crate::text::printable;

use super::inquiry::{Inquiry, Veil};
use super::names::is_plain;
use super::question::{Question, callings};
use super::reach::{REACHES_HOST, stays_inside_found};
use super::violation::{Clause, Verdict, host, no_such, violation};

/// How people write the version in front of a path.
const VERSIONS: &[&str] = &[
    "",
    r"/v1\.\d+",
    r"(/v1\.\d+)?",
    "/v1[.][0-9]+",
    "(/v1[.][0-9]+)?",
    r"/v1\.[0-9]+",
    r"(/v1\.[0-9]+)?",
    r"/v1\.\d{1,2}",
    r"(/v1\.\d{1,2})?",
    r"/v1\..{1,2}",
    r"(/v1\..{1,2})?",
    r"/v[\d.]+",
    r"(/v[\d.]+)?",
    r"/v[\d\.]+",
    r"(/v[\d\.]+)?",
    "/v[0-9.]+",
    "(/v[0-9.]+)?",
];

const ELSEWHERE: &str = "runs in a container in which the list allows no exec";

/// An exec may be used only in a container in which the list would let the client make one.
pub(super) fn exec(inquiry: &mut Inquiry<'_>, reads: bool) -> Verdict {
    // Words have conditions for that.
    let scoped = !inquiry.is_by_words() && scopes_execs(inquiry, reads);
    let denied = inquiry.denies_host() && !reads;
    if !scoped && !denied {
        return Ok(());
    }
    if denied {
        const PRIVILEGED: &str = "gives its command every capability";
        look_at_exec(inquiry, PRIVILEGED, |_, exec, _, place| {
            let process = exec.field("ProcessConfig");
            match process.and_then(|it| it.field("privileged")) {
                Some(Json::Bool(false)) | None => Ok(()),
                Some(_) => Err(host(place, PRIVILEGED)),
            }
        })?;
        look_at_exec(inquiry, REACHES_HOST, |review, _, inspect, place| {
            stays_inside_found(review, inspect, place)
        })?;
    }
    if !scoped {
        return Ok(());
    }
    look_at_exec(inquiry, ELSEWHERE, |review, _, inspect, place| {
        let references = callings(Some(inspect));
        if references.iter().any(|it| allows_exec_in(review, it)) {
            return Ok(());
        }
        let name = references.last().map_or("?", String::as_str);
        let problem = format!("runs in `{}`, where the list allows no exec", printable(name));
        Err(violation(Clause::ExecElsewhere, place, &problem))
    })
}

/// Judges the exec that the path names and its container, as soon as the engine has told them.
fn look_at_exec<'a>(
    inquiry: &mut Inquiry<'a>,
    problem: &'static str,
    judge: impl FnOnce(&mut Inquiry<'a>, &'a Json, &'a Json, &str) -> Verdict,
) -> Verdict {
    let id = inquiry.object();
    let place = format!("`{}`", printable(id));
    let missing = || no_such(&place, &format!("No such exec instance: {}", printable(id)));
    let question = Question::Exec(id.to_owned());
    if !is_plain(id) || inquiry.has_none(&question) {
        return Err(missing());
    }
    let veil = Veil { place: &place, problem };
    inquiry.look(&question, veil, |review, exec| {
        let Some(exec) = exec else { return Ok(()) };
        let container = exec.field("ContainerID").and_then(Json::as_str).unwrap_or_default();
        let question = Question::Container(container.to_owned());
        if !is_plain(container) || review.has_none(&question) {
            return Err(missing());
        }
        review.look(&question, veil, |review, inspect| match inspect {
            Some(inspect) => judge(review, exec, inspect, &place),
            None => Ok(()),
        })
    })
}

/// Whether the list says in which containers execs may run. It does not where it allows them in all, nor where it provably allows nothing
/// that is done to a container: such a list, which allows to start execs all the same, means those that others made.
fn scopes_execs(inquiry: &Inquiry<'_>, reads: bool) -> bool {
    let rules = inquiry.list.rules.of(Method::Post);
    // Who can start no exec gains nothing by reading how one was started.
    if reads
        && !inquiry.may_ask(
            inquiry.list,
            Method::Post,
            &format!("/exec/{}/start", inquiry.object()),
        )
    {
        return false;
    }
    !allows_all_execs(inquiry) && !rules.iter().all(|rule| concerns_no_container(&rule.path))
}

/// Whether the list allows an exec in every container, each of which has an id: a pattern that takes every digit in every place takes
/// them all.
fn allows_all_execs(inquiry: &Inquiry<'_>) -> bool {
    (0..16).all(|digit| {
        let id = format!("{digit:x}").repeat(64);
        inquiry.may_ask(inquiry.list, Method::Post, &format!("/containers/{id}/exec"))
    })
}

/// Whether the list allows an exec in the container with this name or id, under any version: as which the client asks does not matter
/// to the container.
fn allows_exec_in(inquiry: &Inquiry<'_>, reference: &str) -> bool {
    let path = format!("/containers/{reference}/exec");
    inquiry.may_ask(inquiry.list, Method::Post, &path)
        || inquiry.list.rules.allows_under_any_version(Method::Post, &path)
}

/// Whether a pattern begins with a fixed text that no path of a container begins with. It is a proof where it says yes; that it says no
/// proves nothing.
fn concerns_no_container(pattern: &AnchoredRegex) -> bool {
    if pattern.has_top_level_alternation() {
        return false;
    }
    let text = pattern.as_str();
    let text = text.strip_prefix('^').unwrap_or(text);
    let named = [r"/v1\.", "/v1.", "/v1[.]"].iter().find_map(|version| {
        let rest = text.strip_prefix(version)?;
        let is_digit = |place| rest.as_bytes().get(place).is_some_and(u8::is_ascii_digit);
        rest.get(2..).filter(|_| is_digit(0) && is_digit(1))
    });
    let behind = VERSIONS.iter().filter_map(|version| text.strip_prefix(version)).chain(named);
    behind.filter_map(|rest| rest.strip_prefix('/')).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        // What repeats the last letter may also leave it out.
        let repeats = rest.get(end..).is_some_and(|behind| behind.starts_with(['?', '*', '{']));
        let end = end.saturating_sub(usize::from(repeats));
        let word = rest.get(..end).unwrap_or_default();
        // `v` may go on as a version, behind which anything may stand.
        !matches!(word, "" | "v")
            && !"containers".starts_with(word)
            && !word.starts_with("containers")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_concern_no_container_matches_none() {
        let says = |pattern: &str| concerns_no_container(&AnchoredRegex::new(pattern).unwrap());
        for pattern in [
            "/exec/.*",
            r"(/v1\.\d+)?/exec/[^/]+/(start|resize)",
            r"/v1\..{1,2}/exec/.*",
            r"/v1\.41/exec/.*",
            "^/v[0-9.]+/images/.*$",
            "/volumes",
            "(/v1[.][0-9]+)?/build",
            "/ex*containers/x/exec",
        ] {
            assert!(says(pattern), "{pattern}");
        }
        for pattern in [
            ".*",
            "/.*",
            "/[a-z]+/x/exec",
            "/(exec|containers)/.*",
            "/container[s]/x/exec",
            "/c/.*",
            "/e?containers/x/exec",
            "/e{0,1}containers/x/exec",
            "/exec/.*|/containers/x/exec",
            "/v.*/exec/.*",
            "/v1.+/x/exec",
            "(?i)/EXEC/.*",
            "/(v1/)?containers/.*",
            r"/\Qcontainers\E/x/exec",
        ] {
            assert!(!says(pattern), "{pattern}");
        }
    }
}

//! `sockwarden why`: what the running proxy refused last, and whether a client could ask for something.

use std::ffi::OsString;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Deserialize;

use super::terminal::{arguments, complain, exit, misused, pid_in, print_out, small_runtime};
use crate::admin::{self, Asked, Told, Verdict};
use crate::audit::RefusalReport;
use crate::config;
use crate::request::target::encoded;
use crate::request::{Method, ObjectKind, Operation};
use crate::rule::words::{Bundle, VERBS};
use crate::text::escaped;

const OTHER_VERSION: &str = "the running sockwarden is of another version";

#[derive(Deserialize)]
struct Refusals {
    refusals: Vec<RefusalReport>,
}

pub(super) fn run(args: &[OsString]) -> anyhow::Result<u8> {
    let parsed = match arguments("why", args) {
        Ok(parsed) => parsed,
        Err(ended) => return ended,
    };
    let pid = match pid_in("why", &parsed) {
        Ok(pid) => pid,
        Err(ended) => return ended,
    };
    let in_json = parsed.has("json");
    let words: Vec<&str> = parsed.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => last(pid, in_json),
        [id] => one(pid, id, in_json),
        [client, operation, object @ ..] => match asked(client, operation, object.first()) {
            Ok(asked) => would(pid, &asked, in_json),
            Err(what) => {
                complain(&what);
                Ok(exit::UNUSABLE)
            }
        },
    }
}

fn refusals(pid: Option<u32>) -> anyhow::Result<Vec<RefusalReport>> {
    let (_, body) = small_runtime()?.block_on(admin::ask(pid, "/refusals"))?;
    let answer: Refusals = serde_json::from_slice(&body).context(OTHER_VERSION)?;
    Ok(answer.refusals)
}

/// All that is remembered.
fn last(pid: Option<u32>, in_json: bool) -> anyhow::Result<u8> {
    let refusals = refusals(pid)?;
    if in_json {
        return print_out(&format!("{:#}\n", serde_json::json!(refusals)));
    }
    if refusals.is_empty() {
        return print_out("nothing was refused since the proxy started\n");
    }
    print_out(&refusals.iter().map(line).collect::<String>())
}

/// One of them.
fn one(pid: Option<u32>, id: &str, in_json: bool) -> anyhow::Result<u8> {
    let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        let what = format!(
            "`{id}` is not the id of a refusal, which has eight digits; to ask whether a client could do something, name an operation too"
        );
        return Ok(misused(&what, "why"));
    }
    let refusals = refusals(pid)?;
    let lower = id.to_ascii_lowercase();
    let Some(found) = refusals.iter().find(|refusal| refusal.ids.contains(&lower)) else {
        complain(&format!(
            "no refusal `{id}` is remembered; `sockwarden why` shows those that are, and the log has them all"
        ));
        return Ok(exit::FAILED);
    };
    print_out(&if in_json { format!("{:#}\n", serde_json::json!(found)) } else { steps(found) })
}

fn line(refusal: &RefusalReport) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}  {}  {} {}  id {}{}",
        ago(refusal.seconds_ago),
        escaped(&refusal.client),
        escaped(&refusal.method),
        escaped(&refusal.path),
        refusal.ids.last().map_or("-", String::as_str),
        times(refusal.count),
    );
    let _ = writeln!(text, "    {}", escaped(&refusal.reason));
    if let Some(fix) = &refusal.fix {
        let _ = writeln!(text, "    would allow it: {}", escaped(fix));
    }
    text
}

fn steps(refusal: &RefusalReport) -> String {
    let mut text = String::new();
    let mut step = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:12}{}", escaped(value));
    };
    step("when", &format!("{}{}", ago(refusal.seconds_ago), times(refusal.count)));
    step("ids", &refusal.ids.join(", "));
    step("client", &refusal.client);
    step("request", &format!("{} {}", refusal.method, refusal.path));
    step("operation", &refusal.operation);
    step("reason", &refusal.reason);
    step("answer", &refusal.status.to_string());
    if let Some(told) = &refusal.told {
        step("told", told);
    }
    if let Some(fix) = &refusal.fix {
        step("allowed by", fix);
    }
    text
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!(", {count} times") }
}

/// What somebody wants to know, in the words of a request.
fn asked(client: &str, operation: &str, object: Option<&&str>) -> Result<Asked, String> {
    let asked = |method: Method, target: String| Asked {
        client: client.to_owned(),
        method: method.as_str().to_owned(),
        target,
    };
    // As in the log.
    if let (Some(method), Some(path)) = (Method::parse(operation), object) {
        return if path.starts_with('/') {
            Ok(asked(method, (*path).to_owned()))
        } else {
            Err(format!("`{path}` is not a path; it begins with a `/`, for example `/version`"))
        };
    }
    let operation = named(operation)?;
    let (Some(method), Some(template)) = (operation.method(), operation.template()) else {
        return Err(format!("{operation} is not asked for by a method and a path"));
    };
    let target = match (template.split_once('{'), object) {
        (Some((before, behind)), Some(object)) => {
            let behind = behind.split_once('}').map_or("", |(_, behind)| behind);
            format!("{before}{}{behind}", encoded(object))
        }
        (Some(_), None) => {
            let kind = kind(operation);
            return Err(format!(
                "{operation} is asked of {kind}; name one behind it, or the name that one will have"
            ));
        }
        (None, None) => template.to_owned(),
        (None, Some(object)) => match parameter(operation) {
            Some(key) => {
                let value = encoded(object).replace('&', "%26").replace('+', "%2B");
                format!("{template}?{key}={value}")
            }
            None => return Err(format!("{operation} is asked of nothing; leave `{object}` out")),
        },
    };
    Ok(asked(method, target))
}

/// The query parameter that names what an operation without an object in its path is about.
fn parameter(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ContainerCreate => Some("name"),
        Operation::ImageCreate => Some("fromImage"),
        Operation::ImageCommit => Some("container"),
        Operation::ImageBuild => Some("t"),
        _ => None,
    }
}

fn kind(operation: Operation) -> &'static str {
    match operation.object_kind() {
        ObjectKind::Container => "a container",
        ObjectKind::Image => "an image",
        ObjectKind::Network => "a network",
        ObjectKind::Volume => "a volume",
        ObjectKind::Exec => "an exec",
        _ => "something",
    }
}

/// The operation that is meant.
fn named(name: &str) -> Result<Operation, String> {
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    let verb = || VERBS.iter().find(|(verb, _)| same(verb)).map(|(_, operation)| *operation);
    if let Some(operation) = Operation::all().find(|it| same(it.id())).or_else(verb) {
        return Ok(operation);
    }
    if let Some(bundle) = Bundle::ALL.into_iter().find(|bundle| same(bundle.name())) {
        let members: Vec<_> = bundle.members().map(|(it, _)| format!("`{it}`")).collect();
        return Err(format!("`{name}` is several operations; ask for one: {}", members.join(", ")));
    }
    let names = Operation::all().map(Operation::id).chain(VERBS.iter().map(|(verb, _)| *verb));
    let names: Vec<&str> = names.collect();
    Err(match config::nearest(name, names.iter().copied()) {
        Some(nearest) => format!("`{name}` is not an operation; did you mean `{nearest}`?"),
        None => format!(
            "`{name}` is not an operation, such as `ContainerLogs`; docs/words.md lists them, and a method with a path works too"
        ),
    })
}

/// Whether that would pass.
fn would(pid: Option<u32>, asked: &Asked, in_json: bool) -> anyhow::Result<u8> {
    let (status, body) = small_runtime()?.block_on(admin::ask_why(pid, asked))?;
    if !status.is_success() {
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = message.get("message").and_then(serde_json::Value::as_str);
        complain(message.unwrap_or("the running sockwarden gave no reason"));
        let is_mistake = status == http::StatusCode::NOT_FOUND;
        return Ok(if is_mistake { exit::UNUSABLE } else { exit::FAILED });
    }
    let told: Told = serde_json::from_slice(&body).context(OTHER_VERSION)?;
    print_out(&if in_json { format!("{:#}\n", serde_json::json!(told)) } else { answer(&told) })?;
    Ok(match told.verdict {
        Verdict::Allowed | Verdict::Open => exit::STOPPED,
        Verdict::Refused => exit::FAILED,
    })
}

fn answer(told: &Told) -> String {
    let mut text = String::new();
    for (number, step) in (1..).zip(&told.steps) {
        let _ = writeln!(text, "{number}. {}", escaped(step));
    }
    let verdict = match told.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Open => "allowed as far as its head says",
        Verdict::Refused => "refused",
    };
    let _ = writeln!(text, "{verdict}");
    for open in &told.open {
        let _ = writeln!(text, "    open: {}", escaped(open));
    }
    if let Some(reason) = &told.reason {
        let _ = writeln!(text, "    {}", escaped(reason));
    }
    if let Some(fix) = &told.fix {
        let _ = writeln!(text, "    would allow it: {}", escaped(fix));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::is_printable;

    #[track_caller]
    fn check(words: &[&str], want: Result<&str, &str>) {
        let found = asked("dozzle", words[0], words.get(1));
        match (found, want) {
            (Ok(asked), Ok(line)) => {
                assert_eq!(format!("{} {}", asked.method, asked.target), line, "{words:?}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{words:?}: {message}"),
            (found, want) => panic!("{words:?}: {found:?} is not {want:?}"),
        }
    }

    #[test]
    fn an_operation_becomes_a_request() {
        check(&["ContainerLogs", "web"], Ok("GET /containers/web/logs"));
        check(&["containerlist"], Ok("GET /containers/json"));
        check(&["restart", "web"], Ok("POST /containers/web/restart"));
        check(&["ImageInspect", "lib/app:1"], Ok("GET /images/lib/app:1/json"));
        check(&["ContainerCreate"], Ok("POST /containers/create"));
        check(&["ContainerCreate", "web"], Ok("POST /containers/create?name=web"));
        check(&["ImageCreate", "lib/app:1"], Ok("POST /images/create?fromImage=lib/app:1"));
        check(&["GET", "/info"], Ok("GET /info"));
        check(&["GET", "info"], Err("begins with a `/`"));
        check(&["ContainerLogs"], Err("is asked of a container"));
        check(&["SystemInfo", "x"], Err("leave `x` out"));
        check(&["ContainerLog"], Err("did you mean `ContainerLogs`?"));
        check(&["lifecycle", "web"], Err("`ContainerRestart`"));
        check(&["xyzzy"], Err("docs/words.md"));
    }

    #[test]
    fn what_others_wrote_does_not_speak_to_the_terminal() {
        let evil = || "a\u{1b}[2J\r\nb\u{202e}".to_owned();
        let refusal = RefusalReport {
            ids: vec!["0a1b2c3d".to_owned()],
            seconds_ago: 7200,
            count: 41,
            client: evil(),
            method: "GET".to_owned(),
            path: evil(),
            operation: "ContainerLogs".to_owned(),
            status: 403,
            reason: evil(),
            told: Some(evil()),
            fix: Some(evil()),
        };
        let told = Told {
            verdict: Verdict::Refused,
            client: evil(),
            request: evil(),
            operation: evil(),
            steps: vec![evil()],
            open: vec![evil()],
            reason: Some(evil()),
            fix: Some(evil()),
        };
        for text in [line(&refusal), steps(&refusal), answer(&told)] {
            assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text:?}");
        }
        assert!(line(&refusal).contains("2 h ago") && line(&refusal).contains("41 times"));
        assert_eq!(line(&refusal).lines().count(), 3);
        assert!(steps(&refusal).contains("\nclient      a"), "{}", steps(&refusal));
    }
}

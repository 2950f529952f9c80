//! Where execs may be used, and what a refusal tells of the engine's answers.

use super::*;

const EXECS: &str = "(/v1[.][0-9]+)?/exec/.*";

/// What the list matches decides, however its patterns are written.
#[test]
fn an_exec_is_used_only_where_one_may_be_made() {
    #[track_caller]
    fn starts(rules: &[&str], want: bool) {
        for (line, rules) in [
            ("POST /exec/e/start", rules.to_vec()),
            ("POST /v1.41/exec/e/resize?h=1&w=1", rules.to_vec()),
            ("GET /exec/e/json", [rules, &["GET .*"]].concat()),
        ] {
            let rules: Vec<String> = rules
                .iter()
                .map(|it| if it.contains(' ') { (*it).to_owned() } else { format!("POST {it}") })
                .collect();
            let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
            let got = outcome(Set::Srv, &rules, line, "");
            let told = if want { got.is_empty() } else { got.starts_with("ExecElsewhere") };
            assert!(told, "{line} {rules:?}: {got}");
        }
    }
    let short = id("33").chars().take(12).collect::<String>();
    starts(&[".*"], true);
    starts(&["/.*"], true);
    starts(&[EXECS, "/containers/.*"], true);
    starts(&[EXECS, "/containers/3[0-9]*/.*"], true);
    starts(&[EXECS, &format!("/containers/{short}/exec")], true);
    starts(&[EXECS, "/containers/web/exec"], true);
    starts(&[EXECS, "/v1.41/containers/web/exec"], true);
    starts(&[EXECS, r"/v1\.24/containers/web/exec"], true);
    starts(&[EXECS, "/container[s]/web/exec"], true);
    starts(&[EXECS, "/[a-z]+/web/exec"], true);
    starts(&[EXECS, "/(containers|volumes)/web/exec"], true);
    starts(&["(/v1[.][0-9]+)?/(exec/.*|c.+/web/exec)"], true);
    for elsewhere in [
        "/containers/other/exec",
        "/container[s]/other/exec",
        "/[a-z]+/other/exec",
        "/(containers|volumes)/other/exec",
        "/c.+/other/exec",
        "/containers/[^3w].*/exec",
        "/containers/we/exec",
        "/containers/WEB/exec",
        "/containers/web/start",
        "/containers/web/exec/",
        r"/v1\.12/containers/web/exec",
        "(?i)/CONTAINERS/other/exec",
        "/containers/333/exec",
    ] {
        starts(&[EXECS, elsewhere], false);
        starts(&[&format!("(/v1[.][0-9]+)?/exec/.*|{elsewhere}")], false);
        starts(&[&format!("(?:(/v1[.][0-9]+)?/exec/.*|{elsewhere})")], false);
    }
    // A list that allows nothing with containers means the execs that others made.
    starts(&[EXECS], true);
    starts(&[EXECS, "/volumes/.*", "/v1[.][0-9]+/images/.*"], true);
    // Who may only read starts nothing.
    assert_eq!(
        outcome(Set::Srv, &["GET .*", "POST /containers/web/start"], "GET /exec/e/json", ""),
        ""
    );
}

/// A client reads in a refusal only what its list lets it read of the engine; the log has all of it.
#[test]
fn a_refusal_tells_what_the_client_may_read() {
    #[track_caller]
    fn told(set: Set, line: &str, body: &str, reads: &str, secret: &str) {
        let silent = verdict(On::Docker, set, &[OTHERS, "GET /_ping"], line, body).unwrap_err();
        assert!(silent.to_string().contains(secret), "{line}: {silent}");
        let (shown, problem) = (silent.told().to_string(), silent.told_problem().to_owned());
        assert!(!format!("{shown} {problem}").contains(secret), "{line} {body} tells {shown}");
        assert!(!shown.is_empty() && shown.contains(&problem), "{line}: {shown}");
        for reads in reads.split(", ").chain(["/.*"]) {
            let reads = format!("GET {reads}");
            let open = verdict(On::Docker, set, &[OTHERS, &reads], line, body).unwrap_err();
            assert!(open.told().to_string().contains(secret), "{line} {reads}: {}", open.told());
        }
    }
    use Set::{Deny, Srv};
    let binds = |volume: &str| format!(r#"{{"HostConfig":{{"Binds":["{volume}:/h"]}}}}"#);
    told(Srv, CREATE, &binds("secret"), "/volumes, /volumes/secret", "/home/secret");
    told(Srv, CREATE, &binds("nfs"), "/volumes, /volumes/nfs", "9p");
    told(Srv, CREATE, &binds("plugin"), "/volumes, /volumes/plugin", "secret-driver");
    let mount = r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"secret","Target":"/h"}]}}"#;
    told(Srv, CREATE, mount, "/volumes", "/home/secret");
    let service = format!(
        r#"{{"TaskTemplate":{{"ContainerSpec":{}}}}}"#,
        mount.get(14..mount.len() - 1).unwrap()
    );
    told(Srv, "POST /services/create", &service, "/volumes", "/home/secret");
    let from = r#"{"HostConfig":{"VolumesFrom":["etc"]}}"#;
    told(Srv, CREATE, from, "/containers/etc/json", "/etc/cron.d");
    let from = r#"{"HostConfig":{"VolumesFrom":["volumes"]}}"#;
    told(Srv, CREATE, from, "/(volumes|containers/volumes/json)", "/home/secret");
    let exec = r#"{"Cmd":["true"]}"#;
    told(Deny, "POST /containers/etc/exec", exec, "/containers/etc/json", "/etc/cron.d");
    told(
        Deny,
        "POST /v1.41/containers/etc/attach",
        "",
        "/v1[.]41/containers/etc/json",
        "/etc/cron.d",
    );
    let rollback = "POST /services/tainted/update?version=1&rollback=previous";
    told(Srv, rollback, "{}", "/services, /services/tainted", "/srv2/secret");
    told(
        Deny,
        "POST /exec/behind/start",
        "{}",
        "/(exec/behind|containers/behind-the-exec)/json",
        "is privileged",
    );
}

/// Where several lists have to allow it, the client is any of their containers.
#[test]
fn a_refusal_tells_what_every_list_lets_read() {
    let head = Head::new(Method::Post, RequestTarget::parse("/containers/create").unwrap(), []);
    let body = Json::parse(
        br#"{"HostConfig":{"Binds":["secret:/h"]}}"#,
        crate::request::json::Keys::Fields,
    )
    .unwrap();
    let list = |reads: &[&str]| {
        let rules = reads.iter().map(|it| rule(Method::Get, it)).collect();
        Arc::new(Allowlist { rules, ..Allowlist::default() })
    };
    let defaults = Arc::new(Defaults { deny_host_mounts: false, ..Defaults::default() });
    let question = Question::Volume("secret".to_owned());
    let mut answers = Answers::new();
    answers.insert(question.clone(), answer(On::Docker, &question));
    for (other, want) in [(list(&["/volumes"]), true), (list(&[]), false)] {
        let lists = vec![list(&["/volumes"]), other];
        let terms = Terms { lists, defaults: Arc::clone(&defaults), ..Terms::default() };
        let refused = asked(&head, Some(&body), &terms, &terms.lists[0], &answers);
        let told = refused.unwrap_err().told().to_string();
        assert_eq!(told.contains("/home/secret"), want, "{told}");
    }
}

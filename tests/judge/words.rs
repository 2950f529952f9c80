//! Lists of words: what they allow and refuse, and the presets against the calls of the programs that they are for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};
use sockwarden::clauses::{Defaults, Names, Question};
use sockwarden::client::{Admission, Client, Identity, Peer};
use sockwarden::policy::{Body, DeclaredBody, Grant, Judgement, Policy};
use sockwarden::request::json::Json;
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::words::{Evidence, Exceptions, PRESETS, Words, host_access, images};
use sockwarden::rule::{Allowlist, AnchoredRegex, HostAccess, Origin, Rule, RuleSet};
use sockwarden::wording::{self, Setup};

use crate::recreate::world::World;

mod limits;

/// What one label each would say.
#[derive(Default, Clone, Copy)]
struct Labels<'a> {
    allow: &'a str,
    images: &'a str,
    host_access: &'a str,
    bind_mount_from: &'a str,
    /// A method and a pattern.
    pattern: &'a str,
}

fn list(labels: Labels<'_>) -> Allowlist {
    let origin = Origin::Label("sockwarden.allow".to_owned());
    let words = match labels.allow {
        "" => Words::default(),
        text => Words::read(text, &origin).unwrap(),
    };
    let access = (!labels.host_access.is_empty()).then(|| host_access(labels.host_access).unwrap());
    let (access, exceptions) = access.unzip();
    let rule = labels.pattern.split_once(' ').map(|(method, pattern)| Rule {
        origin,
        method: Method::parse(method).unwrap(),
        path: Arc::new(AnchoredRegex::new(pattern).unwrap()),
    });
    Allowlist {
        may_label: words.may_label(),
        words,
        rules: rule.into_iter().collect::<RuleSet>(),
        images: (!labels.images.is_empty()).then(|| images(labels.images).unwrap()),
        host_access: access,
        exceptions: exceptions.unwrap_or_default(),
        bind_mount_from: (!labels.bind_mount_from.is_empty())
            .then(|| vec![labels.bind_mount_from.into()]),
        ..Allowlist::default()
    }
}

fn defaults() -> Defaults {
    Defaults {
        bind_mount_from: None,
        deny_host_mounts: false,
        deny_network_volumes: false,
        host_access: HostAccess::Allow,
        exceptions: Exceptions::default(),
        admitted: Names::default(),
        engine_socket: String::new(),
    }
}

fn client() -> Client {
    let peer = Peer::tcp("127.0.0.1:4711".parse().unwrap(), Ipv4Addr::LOCALHOST.into());
    Client { peer, admission: Admission::Listed, identity: Identity::Plain }
}

/// The target that would be sent and what allowed it, or the message of the refusal.
fn judge(list: Allowlist, line: &str, kind: &str, body: &str) -> Result<(String, String), String> {
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    let target = RequestTarget::parse_for(method, target).map_err(|it| it.to_string())?;
    let fields = (!kind.is_empty()).then_some(("Content-Type", kind.as_bytes()));
    let head = Head::new(method, target, fields);
    let declared = DeclaredBody { body: (!body.is_empty()).then(|| body.to_owned()) };
    let mut judgement = Policy::new(list, defaults()).judge(&client(), None, head, declared);
    for _ in 0..8 {
        let mut pending = match judgement {
            Judgement::Denied(denied) => {
                let told = wording::explain(&client(), &denied, Setup::default()).message;
                return Err(format!("{told} [{}]", wording::reason(&denied.reason)));
            }
            Judgement::Allowed(allowed) => {
                let by = match allowed.grant() {
                    Grant::Word(rule) => rule.text.clone(),
                    Grant::Rule(rule) => rule.path.as_str().to_owned(),
                    Grant::Ping => "ping".to_owned(),
                };
                assert!(!matches!(allowed.body(), Body::Judged(text) if text.is_empty()));
                return Ok((allowed.head().target.to_string(), by));
            }
            Judgement::Pending(pending) => pending,
        };
        judgement = if let Some(body) = pending.take_body() {
            pending.read(body.as_bytes())
        } else if let Some(body) = pending.take_empty_body() {
            pending.emptied(body.is_empty())
        } else {
            for question in pending.questions() {
                let answer = answer(&question).map(|it| Json::parse_answer(it.as_bytes()).unwrap());
                pending.answer(question, answer);
            }
            pending.judge()
        };
    }
    panic!("{line} asks and asks")
}

/// The full id of the container that every name but these leads to.
const WEB: &str = "3eb0000000000000000000000000000000000000000000000000000000000000";

fn answer(question: &Question) -> Option<String> {
    let name = question.name();
    Some(match question {
        _ if name == "missing" => return None,
        Question::Settings(_) => {
            format!(r#"{{"Id":"{WEB}","Name":"/web","Config":{{}},"HostConfig":{{}}}}"#)
        }
        Question::Container(_) if name == "reaching" => {
            r#"{"Id":"bad","Name":"/reaching","HostConfig":{"Privileged":true},"Mounts":[]}"#
                .to_owned()
        }
        Question::Container(_) => {
            format!(r#"{{"Id":"{WEB}","Name":"/web","HostConfig":{{}},"Mounts":[]}}"#)
        }
        Question::Labels(id) => {
            assert_eq!(id, WEB, "labels are asked for by the id that was found");
            let long = "x".repeat(9000);
            format!(
                r#"{{"Id":"{WEB}","Name":"/web","Config":{{"Labels":{{"autoheal":"true","long":"{long}","com.docker.compose.project":"shop","com.docker.compose.service":"web","com.github.nginx-proxy.nginx":"1","docker-volume-backup.stop-during-backup":"true","ofelia.enabled":"true"}}}}}}"#
            )
        }
        Question::Exec(_) if name == "other" => {
            format!(
                r#"{{"ContainerID":"{WEB}","ProcessConfig":{{"privileged":false,"entrypoint":"sh","arguments":["-c","id"],"user":""}}}}"#
            )
        }
        // That of acme-companion.
        Question::Exec(_) if name.starts_with("eeee") => {
            format!(
                r#"{{"ContainerID":"{WEB}","ProcessConfig":{{"privileged":false,"entrypoint":"sh","arguments":["-c","/app/docker-entrypoint.sh /usr/local/bin/docker-gen /app/nginx.tmpl /etc/nginx/conf.d/default.conf; /usr/sbin/nginx -s reload"],"user":""}}}}"#
            )
        }
        Question::Exec(_) => {
            format!(
                r#"{{"ContainerID":"{WEB}","ProcessConfig":{{"privileged":false,"entrypoint":"pg_dump","arguments":["-U","x"],"user":""}}}}"#
            )
        }
        Question::Image(_) if name == "nowhere" => return None,
        Question::Image(_) if name == "evil" || name.contains("e0e0") || name == "sha256:e0" => {
            r#"{"Config":{},"RepoTags":["evil/app:1"],"RepoDigests":[]}"#.to_owned()
        }
        Question::Image(_) => {
            r#"{"Config":{},"RepoTags":["alpine:3"],"RepoDigests":[]}"#.to_owned()
        }
        Question::Network(_) if name == "host" => r#"{"Id":"9d","Driver":"host"}"#.to_owned(),
        Question::Network(_) => r#"{"Id":"5e","Driver":"bridge"}"#.to_owned(),
        Question::Volume(_) => r#"{"Driver":"local","Options":null}"#.to_owned(),
        Question::Info => r#"{"CgroupVersion":"2","SecurityOptions":["name=cgroupns"]}"#.to_owned(),
        Question::Version => r#"{"Version":"28.5.2","Components":[{"Name":"Engine"}]}"#.to_owned(),
        Question::Containers => "[]".to_owned(),
        Question::Service(_) if name == "rolled" => {
            r#"{"PreviousSpec":{"TaskTemplate":{"ContainerSpec":{"Image":"evil/app"}}}}"#.to_owned()
        }
        Question::Node(_)
        | Question::Replaced(_)
        | Question::ReplacedImage(_)
        | Question::Service(_) => return None,
    })
}

#[track_caller]
fn allowed(labels: Labels<'_>, line: &str, body: &str) -> (String, String) {
    judge(list(labels), line, "application/json", body)
        .unwrap_or_else(|told| panic!("{} {line} {body}: {told}", labels.allow))
}

#[track_caller]
fn refused(labels: Labels<'_>, line: &str, body: &str, want: &str) {
    match judge(list(labels), line, "application/json", body) {
        Ok((_, by)) => panic!("{} allows {line} {body} by {by}", labels.allow),
        Err(told) => assert!(told.contains(want), "{line} {body}: {told}"),
    }
}

fn words(allow: &str) -> Labels<'_> {
    Labels { allow, ..Labels::default() }
}

#[test]
fn a_word_allows_its_operation_under_every_version() {
    for line in
        ["GET /containers/json", "GET /v1.24/containers/json?all=1", "GET /v1.51/containers/json"]
    {
        allowed(words("ContainerList"), line, "");
    }
    refused(
        words("ContainerList"),
        "GET /v1.51/images/json",
        "",
        "`ImageList` in `-allow` (SP_ALLOW)",
    );
    refused(
        words("ContainerList"),
        "POST /v1.51/containers/web/stop",
        "",
        "`ContainerStop` in `-allow`",
    );
    refused(words("read"), "POST /v1.51/images/create?fromImage=x", "", "`pull` in `-allow`");
    // What is no operation is a pattern's business.
    refused(words("read"), "GET /v1.51/nonsense", "", "-allowGET=");
    allowed(words("read"), "GET /_ping", "");
    // What Podman's own paths read is what Docker's read, where they are listed.
    for path in ["containers/json", "containers/web/json", "images/a/b/json", "networks/json"] {
        allowed(words("read"), &format!("GET /v5.0.0/libpod/{path}"), "");
        refused(words("logs"), &format!("GET /v5.0.0/libpod/{path}"), "", "not allowed");
    }
    for path in ["volumes/x/export", "containers/x/export", "containers/x/top", "secrets/json"] {
        refused(words("read, stats"), &format!("GET /v5.0.0/libpod/{path}"), "", "not allowed");
    }
    refused(words("ContainerInspect(name=web)"), "GET /v5.0.0/libpod/containers/web/json", "", "");
    refused(words("lifecycle"), "POST /v5.0.0/libpod/containers/web/stop", "", "not allowed");
}

#[test]
fn what_is_created_under_words_reaches_no_host() {
    let create = |config: &str| format!(r#"{{"Image":"alpine","HostConfig":{config}}}"#);
    let line = "POST /v1.51/containers/create?name=x";
    for fine in [
        r#"{"ExtraHosts":["a:10.0.0.1"],"GroupAdd":["100"],"Init":true,"Memory":100000000,"NanoCpus":5}"#,
        r#"{"Binds":["data:/data"],"PortBindings":{"80/tcp":[{"HostPort":"8080"}]},"Tmpfs":{"/run":""}}"#,
        r#"{"Mounts":[{"Type":"volume","Source":"data","Target":"/d"},{"Type":"tmpfs","Target":"/t"}],"RestartPolicy":{"Name":"always"}}"#,
    ] {
        allowed(words("create"), line, &create(fine));
    }
    for (bad, says) in [
        (r#"{"Binds":["/etc:/etc"]}"#, "mounts the host's `/etc`"),
        (r#"{"Privileged":true}"#, "everything of the host"),
        (r#"{"NetworkMode":"host"}"#, "network of the host"),
        (r#"{"PidMode":"host"}"#, "namespace"),
        (r#"{"CapAdd":["NET_ADMIN"]}"#, "NET_ADMIN"),
        (r#"{"Devices":[{"PathOnHost":"/dev/net/tun"}]}"#, "devices of the host"),
        (
            r#"{"Mounts":[{"Type":"volume","Target":"/n","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"nfs","o":"addr=10.0.0.1","device":":/x"}}}}]}"#,
            "from the network",
        ),
    ] {
        refused(words("create"), line, &create(bad), says);
        // A pattern beside it has its own terms.
        let both =
            Labels { allow: "create", pattern: "POST .*/containers/create", ..Labels::default() };
        let (_, by) = allowed(both, line, &create(bad));
        assert_eq!(by, ".*/containers/create");
        // Volumes from the network are not the host's to a pattern.
        let limited = Labels { host_access: "deny", ..both };
        if !bad.contains("nfs") {
            refused(limited, line, &create(bad), "");
        }
        let free = Labels { allow: "create", host_access: "allow", ..Labels::default() };
        assert_eq!(allowed(free, line, &create(bad)).1, "create");
    }
    let but = Labels {
        allow: "create",
        host_access: "cap:NET_ADMIN, device:/dev/net/tun, network-volumes",
        ..Labels::default()
    };
    for exception in [
        r#"{"CapAdd":["CAP_NET_ADMIN"]}"#,
        r#"{"Devices":[{"PathOnHost":"/dev/net/tun","PathInContainer":"/dev/net/tun"}]}"#,
        r#"{"Mounts":[{"Type":"volume","Target":"/n","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"nfs","o":"addr=10.0.0.1","device":":/x"}}}}]}"#,
    ] {
        allowed(but, line, &create(exception));
    }
    for beyond in [
        r#"{"CapAdd":["SYS_ADMIN"]}"#,
        r#"{"CapAdd":["ALL"]}"#,
        r#"{"Devices":[{"PathOnHost":"/dev/net/tun"},{"PathOnHost":"/dev/sda"}]}"#,
        r#"{"Devices":[{"PathOnHost":"/dev/net/../sda"}]}"#,
        r#"{"Privileged":true}"#,
    ] {
        refused(but, line, &create(beyond), "");
    }
    let from = Labels { allow: "create", bind_mount_from: "/srv", ..Labels::default() };
    allowed(from, line, &create(r#"{"Binds":["/srv/x:/x"]}"#));
    refused(from, line, &create(r#"{"Binds":["/etc:/x"]}"#), "/etc");
}

#[test]
fn a_condition_is_judged_by_what_the_name_means() {
    let stop = |name: &str| format!("POST /v1.51/containers/{name}/stop");
    let pinned = format!("/v1.51/containers/{WEB}/stop");
    for fits in [
        "stop(name=web)",
        "stop(name=w*)",
        "stop(name=x, name=web)",
        "stop(label:autoheal=true)",
        "stop(label:autoheal)",
        "stop(project:shop)",
        "stop(service:shop/web)",
        "stop(name=web, label:autoheal=t*)",
        "stop(not label:secret)",
        "stop(not project:other)",
        "stop(name=nothing), stop(name=web)",
        "stop(label:none, label:autoheal, project:x, project:shop)",
    ] {
        // By whatever name it is asked for: it is the container's own that counts.
        assert_eq!(allowed(words(fits), &stop("anything"), "").0, pinned, "{fits}");
    }
    for not in [
        "stop(name=anything)",
        "stop(name=web, label:none)",
        "stop(label:autoheal=false)",
        "stop(project:other)",
        "stop(project:other, label:autoheal)",
        "stop(service:shop/db, project:shop)",
        "stop(name:anything, label:autoheal)",
        "stop(label:AutoHeal)",
        "stop(service:shop/db)",
        "stop(not label:autoheal)",
        "stop(not name:web)",
        "stop(not label:long=y*)",
        "stop(label:long=x*)",
    ] {
        refused(words(not), &stop("anything"), "", "is not what `stop(");
        refused(words(not), &stop("missing"), "", "No such container");
    }
    refused(words("stop(name=web)"), &stop("missing"), "", "No such container: missing");
}

#[test]
fn execs_are_those_that_fit() {
    let exec = words("exec(name=web, cmd=pg_dump *)");
    let create = "POST /v1.51/containers/w/exec";
    allowed(exec, create, r#"{"Cmd":["pg_dump","-U","x"],"AttachStdout":true}"#);
    for bad in [
        r#"{"Cmd":["sh","-c","pg_dump"]}"#,
        r#"{"Cmd":["pg_dump"],"Env":["A=1"]}"#,
        r#"{"Cmd":["pg_dump"],"User":"root"}"#,
        r#"{"Cmd":["pg_dump"],"WorkingDir":"/x"}"#,
        r#"{"Cmd":["pg_dump"],"Privileged":true}"#,
        r#"{"Cmd":[]}"#,
        r#"{"cmd":["sh"],"Cmd":["pg_dump"]}"#,
    ] {
        refused(exec, create, bad, "");
    }
    let user = words("exec(cmd=pg_dump *, user=postgres)");
    allowed(user, create, r#"{"Cmd":["pg_dump"],"User":"postgres"}"#);
    refused(user, create, r#"{"Cmd":["pg_dump"],"User":"root"}"#, "");
    let start = r#"{"Detach":false}"#;
    for op in ["start", "resize?h=1&w=1"] {
        let body = if op == "start" { start } else { "" };
        allowed(exec, &format!("POST /v1.51/exec/fits/{op}"), body);
        refused(exec, &format!("POST /v1.51/exec/other/{op}"), body, "");
        refused(exec, &format!("POST /v1.51/exec/missing/{op}"), body, "No such exec");
    }
    allowed(exec, "GET /v1.51/exec/fits/json", "");
    refused(exec, "GET /v1.51/exec/other/json", "", "");
    // Nobody gets into a container that reaches the host.
    refused(
        words("exec"),
        "POST /v1.51/containers/reaching/exec",
        r#"{"Cmd":["id"]}"#,
        "reaches the host",
    );
    refused(
        words("write-files"),
        "PUT /v1.51/containers/reaching/archive?path=/",
        "",
        "reaches the host",
    );
    allowed(words("write-files"), "PUT /v1.51/containers/web/archive?path=/tmp", "");
    for method in ["GET", "HEAD"] {
        let archive = |name: &str| format!("{method} /v1.51/containers/{name}/archive?path=/etc");
        refused(words("read-files"), &archive("reaching"), "", "reaches the host");
        allowed(words("read-files"), &archive("web"), "");
    }
}

#[test]
fn other_conditions_are_judged_as_the_engine_reads() {
    let kill = words("ContainerKill(signal=HUP)");
    for fits in ["SIGHUP", "hup", "1"] {
        allowed(kill, &format!("POST /v1.51/containers/w/kill?signal={fits}"), "");
    }
    for not in ["?signal=KILL", "?signal=9", "", "?signal=", "?signal=nope"] {
        refused(kill, &format!("POST /v1.51/containers/w/kill{not}"), "", "is not what");
    }
    allowed(words("ContainerKill(signal=KILL)"), "POST /v1.51/containers/w/kill", "");
    let pull = words("pull(image=docker.io/library/*)");
    allowed(pull, "POST /v1.51/images/create?fromImage=alpine&tag=3", "");
    allowed(pull, "POST /v1.51/images/create?fromImage=docker.io%2Flibrary%2Falpine", "");
    refused(pull, "POST /v1.51/images/create?fromImage=me%2Falpine", "", "is not what");
    let tagged = words("pull(image=alpine:3)");
    allowed(tagged, "POST /v1.51/images/create?fromImage=alpine&tag=3", "");
    refused(tagged, "POST /v1.51/images/create?fromImage=alpine:3&tag=4", "", "");
    let create = words("ContainerCreate(name=ci-*, image=alpine)");
    allowed(create, "POST /v1.51/containers/create?name=ci-1", r#"{"Image":"alpine:3"}"#);
    refused(create, "POST /v1.51/containers/create", r#"{"Image":"alpine"}"#, "");
    refused(create, "POST /v1.51/containers/create?name=web", r#"{"Image":"alpine"}"#, "");
    refused(create, "POST /v1.51/containers/create?name=ci-1", r#"{"Image":"evil"}"#, "");
    let rename = words("rename(to=old-*), stop(name=web*)");
    allowed(rename, "POST /v1.51/containers/x/rename?name=old-1", "");
    refused(rename, "POST /v1.51/containers/x/rename?name=new", "", "");
    // Nobody makes a container into one that a condition is about.
    refused(
        words("rename, stop(name=web*)"),
        "POST /v1.51/containers/x/rename?name=web2",
        "",
        "rights depend on",
    );
    allowed(words("VolumeDelete(name=ci-*)"), "DELETE /v1.51/volumes/ci-1", "");
    refused(words("VolumeDelete(name=ci-*)"), "DELETE /v1.51/volumes/data", "", "");
    allowed(words("stats"), "GET /v1.51/containers/w/top?ps_args=aux", "");
    for odd in ["eww", "auxe", "-o%20pid,cmd,environ", "axe"] {
        refused(
            words("stats"),
            &format!("GET /v1.51/containers/w/top?ps_args={odd}"),
            "",
            "ps_args",
        );
        allowed(words("stats, env"), &format!("GET /v1.51/containers/w/top?ps_args={odd}"), "");
    }
}

#[test]
fn images_bind_every_rule_of_the_client() {
    let line = "POST /v1.51/containers/create";
    let by_word = Labels {
        allow: "create, write-images, pull, ImageCommit, build",
        images: "alpine, ghcr.io/me/*",
        ..Labels::default()
    };
    let by_pattern = Labels { pattern: "POST .*", images: by_word.images, ..Labels::default() };
    for labels in [by_word, by_pattern] {
        allowed(labels, line, r#"{"Image":"alpine:3"}"#);
        // The image behind a name or an id counts, not what it is called.
        allowed(labels, line, r#"{"Image":"sha256:abcd"}"#);
        refused(labels, line, r#"{"Image":"evil"}"#, "none of the images");
        refused(labels, line, r#"{"Image":"nowhere"}"#, "none of the images");
        refused(
            labels,
            line,
            r#"{"Image":"alpine","HostConfig":{"Mounts":[{"Type":"image","Source":"evil","Target":"/x"}]}}"#,
            "none of the images",
        );
        allowed(labels, "POST /v1.51/images/create?fromImage=ghcr.io%2Fme%2Fapp&tag=1", "");
        refused(labels, "POST /v1.51/images/create?fromImage=evil", "", "none of the images");
        for write in [
            "POST /v1.51/images/evil/tag?repo=alpine&tag=3",
            "POST /v1.51/images/create?fromSrc=-&repo=ghcr.io/me/app",
            "POST /v1.51/commit?container=w&repo=docker.io/library/alpine",
            "POST /v1.51/build?t=other&t=ghcr.io/me/app:1",
            "POST /v1.51/images/load",
        ] {
            refused(labels, write, "", "");
        }
        allowed(labels, "POST /v1.51/images/evil/tag?repo=mine&tag=3", "");
    }
}

#[test]
fn words_lift_what_is_refused_as_a_whole_and_nothing_else() {
    let deny = Labels { pattern: "POST .*", host_access: "deny", ..Labels::default() };
    let pull = r#"[{"Name":"network","Value":["host"]}]"#;
    refused(deny, "POST /v1.51/plugins/pull?remote=x", pull, "plugin");
    allowed(words("PluginPull"), "POST /v1.51/plugins/pull?remote=x", pull);
    refused(deny, "POST /v1.51/grpc", "", "BuildKit");
    allowed(words("buildkit"), "POST /v1.51/grpc", "");
    refused(words("build"), "POST /v1.51/build?version=2", "", "BuildKit");
    refused(words("build"), "POST /v1.51/build?networkmode=host", "", "network of the host");
}

/// One line of a file of calls.
struct Call {
    line: String,
    kind: String,
    body: String,
}

/// The calls that a preset's program makes.
fn calls(preset: &str) -> Vec<Call> {
    let root = env!("CARGO_MANIFEST_DIR");
    let file = ["recordings", "calls"]
        .map(|directory| format!("{root}/presets/{directory}/{preset}.jsonl"))
        .into_iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_else(|| panic!("the preset {preset} has no calls"));
    let call = |line: &str| {
        let call: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = call["headers"].as_object().cloned().unwrap_or_default();
        let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let body = match &call["body"] {
            Value::Null => String::new(),
            // Of what is no JSON the length and the type were kept.
            Value::Object(body) if body.contains_key("length") => "x".to_owned(),
            body => body.to_string(),
        };
        Call {
            line: format!("{} {}", text(&call["method"]), text(&call["target"])),
            kind: kind.map_or_else(String::new, |(_, kind)| text(kind)),
            body,
        }
    };
    file.lines().skip(1).map(call).collect()
}

/// What the calls are refused, for a list of these words.
fn refusals(allow: &str, calls: &[Call]) -> Vec<String> {
    let refusal = |call: &Call| {
        let told = judge(list(words(allow)), &call.line, &call.kind, &call.body).err()?;
        Some(format!("{} {} {}: {told}", call.line, call.kind, call.body))
    };
    calls.iter().filter_map(refusal).collect()
}

/// The same where one call depends on those before it: of a client that takes containers down and makes them again.
fn refusals_in_order(allow: &str, calls: &[Call]) -> Vec<String> {
    let mut world = World::new(allow);
    let image = json!({"Id": "sha256:b", "Config": {"Env": ["PATH=/bin"]}});
    world.images.insert("sockwarden-test-busybox:1".to_owned(), image);
    world.next_id = Some("c".repeat(64));
    let body = json!({"Image": "sockwarden-test-busybox:1", "Cmd": ["sleep", "3600"]});
    world.run("sockwarden-test-web", &body);
    world.next_id = Some("d".repeat(64));
    let mut refusal = |call: &Call| {
        let body = serde_json::from_str(&call.body).unwrap_or_default();
        Some(format!("{}: {}", call.line, world.ask(&call.line, &body).err()?))
    };
    calls.iter().filter_map(&mut refusal).collect()
}

#[test]
fn every_preset_allows_what_its_program_asks() {
    let mut wrong = Vec::new();
    for preset in PRESETS.iter() {
        let calls = calls(&preset.name);
        let words = Words::read(&preset.name, &Origin::Flag(String::new())).unwrap();
        let mut refused = if words.may_recreate() {
            refusals_in_order(&preset.name, &calls)
        } else {
            refusals(&preset.name, &calls)
        };
        // What a preset says that it does not cover.
        refused.retain(|it| preset.name != "compose" || !it.contains(r#""Links":["#));
        wrong.extend(refused.into_iter().map(|it| format!("{}: {it}", preset.name)));
    }
    assert!(wrong.is_empty(), "{} calls are refused:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_grant_is_there_for_nothing() {
    let switches = ["env", "recreate", "grant-rights"];
    let mut idle: Vec<String> = Vec::new();
    for preset in PRESETS.iter().filter(|preset| preset.evidence == Evidence::Recorded) {
        let calls = calls(&preset.name);
        for left_out in
            preset.allow.iter().filter(|it| !switches.iter().any(|switch| it.starts_with(switch)))
        {
            let rest: Vec<&str> =
                preset.allow.iter().filter(|it| *it != left_out).map(String::as_str).collect();
            if refusals(&rest.join(", "), &calls).is_empty() {
                idle.push(format!("{}: {left_out}", preset.name));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

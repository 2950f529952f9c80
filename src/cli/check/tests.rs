//! What is found, a case each, and what is not.

use super::*;

/// The standard layout: one internal network, a label for each client.
const STANDARD: &str = r#"
services:
  sockwarden:
    image: sockwarden
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
    group_add: ["${DOCKER_GID:-999}"]
    networks: [docker-api]
    read_only: true
    cap_drop: [ALL]
  dozzle:
    image: amir20/dozzle
    environment: { DOCKER_HOST: "tcp://sockwarden:2375" }
    networks: [docker-api, web]
    cap_drop: [NET_RAW]
    labels:
      sockwarden.allow: dozzle
  traefik:
    image: traefik:v3
    networks: [docker-api, web]
    cap_drop: [NET_RAW]
    ports: ["80:80"]
    labels:
      - sockwarden.allow=traefik
networks:
  docker-api: { internal: true }
  web: {}
"#;

fn found(files: &[&str]) -> Findings {
    let (mut project, mut findings) = (Project::default(), Findings::default());
    for (number, text) in files.iter().enumerate() {
        project.add(&format!("{number}.yaml"), text, &|_| None).unwrap();
    }
    of_project(&mut findings, &project);
    findings
}

/// What is found in the standard layout where this is in place of that.
#[track_caller]
fn check(from: &str, to: &str, want: &[(Rule, &str, &str)]) {
    assert!(STANDARD.contains(from), "{from}");
    check_text(&STANDARD.replacen(from, to, 1), want);
}

#[track_caller]
fn check_text(text: &str, want: &[(Rule, &str, &str)]) {
    let found = found(&[text]).found;
    let kinds: Vec<_> = found.iter().map(|it| (it.rule, &*it.subject)).collect();
    let wanted: Vec<_> = want.iter().map(|(rule, subject, _)| (*rule, *subject)).collect();
    assert_eq!(kinds, wanted, "{found:#?}");
    for (found, (_, _, says)) in found.iter().zip(want) {
        assert!(found.message.contains(says), "{says}: {found:#?}");
        assert!(found.place.as_ref().is_none_or(|place| place.line > 0), "{found:#?}");
    }
}

#[test]
fn the_standard_layout_is_right_and_each_client_has_its_risk() {
    let findings = found(&[STANDARD]);
    assert_eq!(findings.found, []);
    let risks: Vec<_> = findings.clients.iter().map(|it| (&*it.subject, &*it.letter)).collect();
    assert_eq!(risks, [("dozzle", "B"), ("traefik", "B")]);
    assert!(report::text(&findings).ends_with("nothing found\n"));
}

/// The page that is shown first, and everything that people copy.
#[test]
fn nothing_is_found_in_our_own_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut texts: Vec<(String, String)> = blocks
        .filter(|block| block.contains("services:\n"))
        .map(|block| ("README.md".to_owned(), block.to_owned()))
        .collect();
    assert!(!texts.is_empty(), "the README has a whole Compose file");
    for folder in std::fs::read_dir(root.join("examples/compose")).unwrap() {
        let path = folder.unwrap().path().join("compose.yaml");
        texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    for (name, text) in texts {
        let findings = found(&[&text]);
        assert_eq!(findings.found, [], "{name}");
        assert!(!findings.clients.is_empty(), "{name}");
    }
}

#[test]
fn a_wrong_label_is_found_where_it_stands() {
    use Rule::Label;
    let label = "sockwarden.allow: dozzle";
    check(label, "sockwarden.alow: dozzle", &[(Label, "dozzle", "did you mean")]);
    check(label, "sockwarden.allow: dozle", &[(Label, "dozzle", "`dozzle`?")]);
    check(label, "sockwarden.allow: ${RIGHTS}", &[(Label, "dozzle", "is empty")]);
    check(label, "sockwarden.allow:", &[(Label, "dozzle", "is empty")]);
    check(label, "sockwarden.allow: $${RIGHTS}", &[(Label, "dozzle", "was not replaced")]);
    check(label, "sockwarden.scope: project:web", &[(Label, "dozzle", "not in this version")]);
    check("sockwarden.allow=traefik", "sockwarden.allow=!read", &[(Label, "traefik", "`not`")]);
    let both = "sockwarden.alow: dozzle\n      sockwarden.hostacess: deny";
    check(label, both, &[(Label, "dozzle", "allow"), (Label, "dozzle", "hostaccess")]);
    let findings = found(&[&STANDARD.replace(label, both)]);
    let lines: Vec<_> =
        findings.found.iter().filter_map(|it| it.place.as_ref()).map(|it| it.line).collect();
    assert_eq!(lines, [16, 17]);
    let swarm = "x: y\n    deploy: { labels: { sockwarden.allow: dozzle } }";
    check(label, swarm, &[(Rule::DeployLabel, "dozzle", "move it to `labels`")]);
}

#[test]
fn patterns_are_found_that_match_nothing_or_give_more_than_words() {
    let label = "sockwarden.allow: dozzle";
    let get = |pattern: &str| format!("sockwarden.allow.get: '{pattern}'");
    let exact = "(/v1[.][0-9]+)?/(version|containers/json|containers/[^/]+/json)";
    check(label, &get(exact), &[]);
    check(label, &get("/v1[.][0-9]+/info$$"), &[]);
    check(label, &get("info"), &[(Rule::DeadPattern, "dozzle", "matches nothing")]);
    let all = get("(/v1[.][0-9]+)?/containers/.*");
    let want = "as words: `logs, stats, ";
    check(label, &all, &[(Rule::WidePattern, "dozzle", want)]);
    check(label, &all, &[(Rule::WidePattern, "dozzle", "the word `dozzle` gives")]);
    let create = "sockwarden.allow.post: (/v1[.][0-9]+)?/containers/create";
    let owner = (Rule::HostOwner, "dozzle", "may use ContainerCreate, and so owns the host");
    check(label, create, &[owner, (Rule::WidePattern, "dozzle", "as words: `ContainerCreate`")]);
    let denied = format!("{create}\n      sockwarden.hostaccess: deny");
    check(label, &denied, &[]);
    check(label, "sockwarden.allow: buildkit", &[(Rule::HostOwner, "dozzle", "owns the host")]);
}

#[test]
fn the_network_is_looked_at() {
    let drop = "    cap_drop: [NET_RAW]\n    labels:\n      sockwarden.allow: dozzle\n";
    let kept = drop.replace("    cap_drop: [NET_RAW]\n", "");
    check(drop, &kept, &[(Rule::NetRaw, "dozzle", "shares docker-api with `sockwarden`")]);
    let added = drop.replace("NET_RAW]", "ALL]\n    cap_add: [NET_RAW]");
    check(drop, &added, &[(Rule::NetRaw, "dozzle", "NET_RAW")]);
    // Alone with the proxy nobody's address can be taken.
    let alone = STANDARD.replacen("[docker-api, web]\n    cap_drop: [NET_RAW]", "[docker-api]", 1);
    let alone =
        alone.replace("networks: [docker-api]\n    read", "networks: [docker-api, t]\n    read");
    let alone = alone.replacen("networks: [docker-api, web]", "networks: [t, web]", 1);
    check_text(&alone, &[]);
    check(
        "networks: [docker-api, web]",
        "networks: [web]",
        &[(Rule::NoSharedNetwork, "dozzle", "on no network with `sockwarden`")],
    );
    check(
        "networks: [docker-api, web]",
        "network_mode: host",
        &[(Rule::NoSharedNetwork, "dozzle", "cannot say who asks")],
    );
    let proxy = "    networks: [docker-api]\n";
    let published = |port: &str| format!("{proxy}    ports: ['{port}']\n");
    check(proxy, &published("2375:2375"), &[(Rule::Published, "sockwarden", "can reach the host")]);
    check(
        proxy,
        &published("127.0.0.1:2375:2375"),
        &[(Rule::Published, "sockwarden", "every user of the host")],
    );
}

#[test]
fn the_socket_is_looked_at() {
    let raw = "labels:\n      sockwarden.allow: dozzle";
    let mounted = format!("volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n    {raw}");
    let word = "`sockwarden.allow: dozzle`";
    check(raw, &mounted, &[(Rule::RawSocket, "dozzle", word)]);
    let whole = format!("volumes: ['/run/:/host']\n    {raw}");
    check(raw, &whole, &[(Rule::RawSocket, "dozzle", "the directory of the engine's socket")]);
    check(
        "/var/run/docker.sock:/var/run/docker.sock:ro",
        "/srv:/srv",
        &[(Rule::NoSocket, "sockwarden", "nothing is mounted at `/var/run/docker.sock`")],
    );
    check(
        "docker.sock:/var/run/docker.sock:ro",
        "docker.sock:/run",
        &[(Rule::NoSocket, "sockwarden", "mount the engine's socket")],
    );
}

#[test]
fn a_proxy_is_read_as_it_reads_itself() {
    let image = "image: sockwarden\n";
    let with = |more: &str| format!("{image}    {more}\n");
    let mistake = (Rule::Configuration, "sockwarden", "did you mean `-allowfrom`?");
    check(image, &with("command: [-alowfrom=x]"), &[mistake]);
    let variable = (Rule::Configuration, "sockwarden", "`SP_ALOWFROM` is not a variable");
    check(image, &with("environment: [SP_ALOWFROM=x]"), &[variable]);
    let given = "command: -listenip=0.0.0.0 -allowfrom=dozzle '-allowGET=/version'";
    let unread = (Rule::LabelsNotRead, "sockwarden", "the labels of `dozzle`, `traefik`");
    check(image, &with(given), &[unread]);
    let lonely = "command: [-allowfrom=dozzle, -allow=read]";
    let lonely_want = [
        (Rule::Surprising, "sockwarden", "-listenip=0.0.0.0"),
        (Rule::LabelsNotRead, "sockwarden", "switches that on"),
    ];
    check(image, &with(lonely), &lonely_want);
    // A client with the same image is no proxy.
    let client = "services:\n  x:\n    image: sockwarden\n    command: [request, GET, /info]\n";
    check_text(client, &[]);
    // Labels are checked without a proxy too.
    let alone = "services:\n  x:\n    image: y\n    labels: { sockwarden.allow: reed }\n";
    check_text(alone, &[(Rule::Label, "x", "did you mean `read`?")]);
}

#[test]
fn several_files_add_up() {
    let second = "services:\n  dozzle:\n    labels:\n      sockwarden.allow: dozle\n";
    let findings = found(&[STANDARD, second]).found;
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    let place = finding.place.as_ref().unwrap();
    assert_eq!((&*place.file, place.line), ("1.yaml", 4));
}

#[test]
fn every_form_says_the_same() {
    let text = STANDARD.replace("sockwarden.allow: dozzle", "sockwarden.allow: dozle");
    let findings = found(&[&text]);
    let shown = report::text(&findings);
    assert!(shown.starts_with("0.yaml:16: dozzle: error: label `sockwarden.allow`"), "{shown}");
    assert!(shown.contains("[label]\n") && shown.ends_with("\n1 finding\n"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&report::in_json(&findings)).unwrap();
    assert_eq!(json["findings"][0]["line"], 16);
    assert_eq!(json["clients"][0]["risk"], "B");
    let sarif: serde_json::Value = serde_json::from_str(&report::sarif(&findings)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "label");
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "label");
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "0.yaml");
    assert_eq!(physical["region"]["startLine"], 16);
    let ids: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    assert_eq!(ids.len(), Rule::ALL.len());
}

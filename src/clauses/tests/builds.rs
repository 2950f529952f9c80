//! Builds, and the proxy as a task of a swarm, where rights come from labels.

use super::*;

/// What a build makes has no rights, so a client that builds may start containers as well.
#[test]
fn who_builds_may_start_too() {
    use Set::{Lists, MayLabel};
    for (line, body) in [
        ("POST /containers/create", r#"{"Image":"x"}"#),
        ("POST /v1.41/containers/web/start", ""),
        ("POST /containers/web/restart", ""),
        ("POST /containers/web/update", r#"{"RestartPolicy":{"Name":"always"}}"#),
        ("POST /services/create", r#"{"Name":"x"}"#),
        ("POST /build", ""),
        ("POST /build?networkmode=bridge", ""),
    ] {
        for set in [Lists, MayLabel] {
            judged(On::Docker, set, &[OTHERS, "POST /build", "POST /grpc"], line, body, "");
        }
    }
}

#[test]
fn the_platform_that_is_asked_for_is_ours() {
    use Set::{Lists, MayLabel};
    let create = |platforms: &str| format!("POST /containers/create?{platforms}");
    for ours in ["", "platform=", "platform=linux"] {
        judged(On::Docker, Lists, &[OTHERS], &create(ours), "{}", "");
    }
    for other in ["platform=linux/s390x", "platform=LINUX"] {
        judged(On::Docker, Lists, &[OTHERS], &create(other), "{}", "another platform");
        judged(On::Docker, MayLabel, &[OTHERS], &create(other), "{}", "");
    }
}

#[test]
fn no_step_of_a_build_is_somebody_else() {
    use Set::{Lists, MayLabel};
    let build = |set: Set, networks: &[&str], mode: &str| {
        let line = format!("POST /build{mode}");
        let networks = networks.iter().map(|name| (id("5e"), (*name).to_owned())).collect();
        let protected = Protected { container: id(OWN), networks, ..Protected::default() };
        let head = Head::new(
            Method::Post,
            RequestTarget::parse_for(Method::Post, line.get(5..).unwrap()).unwrap(),
            [],
        );
        let rules = [rule(Method::Post, ".*")].into_iter().collect();
        let list = Allowlist { rules, may_label: set == MayLabel, ..Allowlist::default() };
        let lists = vec![Arc::new(list)];
        let defaults = Defaults { host_access: HostAccess::Allow, ..Defaults::default() };
        let terms = Terms {
            lists,
            defaults: Arc::new(defaults),
            protected: Some(Arc::new(protected)),
            creator: None,
        };
        let mut answers = Answers::new();
        loop {
            match asked(&head, None, &terms, &terms.lists[0], &answers) {
                Err(violation) => return format!("{:?}", violation.clause),
                Ok(questions) if questions.is_empty() => return String::new(),
                Ok(questions) => answers.extend(questions.into_iter().map(|question| {
                    let answer = match question.name() {
                        "gone" => None,
                        _ => answer(On::Docker, &question),
                    };
                    (question, answer)
                })),
            }
        }
    };
    for on in ["bridge", "clients", "host", "podman"] {
        assert_eq!(build(Lists, &[on], "?networkmode=none"), "");
        assert_eq!(build(Lists, &[on], "?networkmode=host"), "BuildNetwork", "{on}");
        assert_eq!(build(Lists, &[on], "?networkmode=9d9d"), "BuildNetwork", "{on}");
        let named = build(Lists, &[on], &format!("?networkmode={on}"));
        assert_eq!(named, if on == "bridge" { "" } else { "BuildNetwork" }, "{on}");
        assert_eq!(build(Lists, &[on], "?networkmode=5e5"), "BuildNetwork", "{on}");
        assert_eq!(build(Lists, &[on], "?networkmode=container%3Ax"), "Identity", "{on}");
        assert_eq!(build(MayLabel, &[on], "?networkmode=container%3Ax"), "Identity", "{on}");
        assert_eq!(build(Lists, &[on], "?networkmode=ns%3Ax"), "Unclear");
        assert_eq!(build(Lists, &[on], "?networkmode=none&nsoptions=%5B%5D"), "Unclear", "{on}");
        for free in ["", "?networkmode=host", &format!("?networkmode={on}")] {
            assert_eq!(build(MayLabel, &[on], free), "", "{on}");
        }
        // No name leads anywhere there.
        for default in ["", "?networkmode=", "?networkmode=default", "?networkmode=bridge"] {
            assert_eq!(build(Lists, &[on], default), "", "{on} {default}");
        }
    }
    assert_eq!(build(Lists, &["clients"], "?networkmode=other"), "");
    assert_eq!(build(Lists, &["clients"], "?networkmode=gone"), "Unclear");
    // A proxy in the network namespace of another container is on networks that it does not know.
    assert_eq!(build(Lists, &[], "?networkmode=other"), "BuildNetwork");
    assert_eq!(build(Lists, &[], ""), "");
    judged(On::Docker, Lists, &[".*"], "POST /grpc", "", "");
    judged(On::Docker, Set::Everywhere, &[".*"], "POST /grpc", "", "BuildNetwork");
    judged(On::Docker, Set::EverywhereMayLabel, &[".*"], "POST /grpc", "", "");
}

#[test]
fn the_proxys_service_and_node_are_its_own() {
    use Set::{Lists, MayLabel};
    let service = r#"{"Name":"stack_proxy","TaskTemplate":{"ForceUpdate":1}}"#;
    for set in [Lists, MayLabel] {
        for name in ["5vcproxy0000000000000000a", "5vc", "5", "stack_proxy", "Stack_Proxy"] {
            let update = format!("POST /services/{name}/update?version=1");
            judged(On::Docker, set, &[OTHERS], &update, service, "proxy's own container");
            let rollback =
                format!("POST /v1.41/services/{name}/update?version=1&rollback=previous");
            judged(On::Docker, set, &[OTHERS], &rollback, "{}", "proxy's own container");
            judged(
                On::Docker,
                set,
                &[OTHERS],
                &format!("DELETE /services/{name}"),
                "",
                "OwnContainer",
            );
        }
        for name in ["n0de0000000000000000000a", "n0de", "host-of-proxy"] {
            let update = format!("POST /nodes/{name}/update?version=1");
            judged(
                On::Docker,
                set,
                &[OTHERS],
                &update,
                r#"{"Availability":"drain"}"#,
                "OwnContainer",
            );
            judged(
                On::Docker,
                set,
                &[OTHERS],
                &format!("DELETE /nodes/{name}?force=1"),
                "",
                "OwnContainer",
            );
        }
        for line in ["POST /swarm/leave?force=1", "POST /swarm/leave", "POST /swarm/init"] {
            judged(On::Docker, set, &[OTHERS], line, "", "OwnContainer");
        }
        for line in ["DELETE /services/other", "DELETE /nodes/other", "GET /services/stack_proxy"] {
            judged(On::Docker, set, &[OTHERS], line, "", "");
        }
        judged(On::Docker, set, &[OTHERS], "POST /nodes/other/update?version=1", "{}", "");
        judged(
            On::Docker,
            set,
            &[OTHERS],
            "POST /services/other/update?version=1",
            r#"{"Name":"other"}"#,
            "",
        );
    }
}

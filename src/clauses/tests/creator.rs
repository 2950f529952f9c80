//! What is written on what a client creates, and which names it may not give.

use super::*;
use crate::rule::labels::creator::{Creator, Maker};

/// What of a body is sent, if this client asks and these lists judge it, where those makers are protected.
fn sent(
    client: &str,
    lists: &[bool],
    makers: &[&str],
    line: &str,
    body: &str,
) -> Result<String, String> {
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    let head = Head::new(method, RequestTarget::parse_for(method, target).unwrap(), []);
    let mut body = Json::parse(body.as_bytes(), crate::request::json::Keys::Fields).unwrap();
    let lists: Vec<_> = lists
        .iter()
        .map(|may_label| Arc::new(Allowlist { may_label: *may_label, ..Allowlist::default() }))
        .collect();
    let makers: Vec<Maker> =
        makers.iter().flat_map(|maker| Creator::parse(maker).makers().to_vec()).collect();
    let protected = Protected {
        container: id(OWN),
        prefixes: vec!["sockwarden".to_owned()],
        makers: Arc::new(makers.into_iter().collect()),
        ..Protected::default()
    };
    let defaults = Defaults {
        bind_mount_from: None,
        deny_host_mounts: false,
        deny_network_volumes: false,
        host_access: HostAccess::Allow,
        ..Defaults::default()
    };
    let terms = Terms {
        lists,
        defaults: Arc::new(defaults),
        protected: Some(Arc::new(protected)),
        creator: Some(Creator::parse(client)),
        ..Terms::default()
    };
    for list in &terms.lists {
        asked(&head, Some(&body), &terms, list, &Answers::new()).map_err(|it| it.to_string())?;
    }
    mark(&head, &mut body, &terms, None);
    Ok(body.to_text())
}

const CREATE: &str = "POST /containers/create";

#[track_caller]
fn check(line: &str, body: &str, want: &str) {
    assert_eq!(sent("name:ci", &[false], &[], line, body).as_deref(), Ok(want), "{body}");
}

#[test]
fn a_container_says_who_created_it() {
    check(CREATE, r#"{"Image":"x"}"#, r#"{"Image":"x","Labels":{"sockwarden.creator":"name:ci"}}"#);
    for none in ["null", "{}", r#""""#] {
        let body = format!(r#"{{"Labels":{none}}}"#);
        check(CREATE, &body, r#"{"Labels":{"sockwarden.creator":"name:ci"}}"#);
    }
    let own = r#"{"labels":{"a":"b","sockwarden.creator":"name:other","c":"d"}}"#;
    check(CREATE, own, r#"{"labels":{"a":"b","c":"d","sockwarden.creator":"name:ci"}}"#);
    let null = r#"{"Labels":{"sockwarden.creator":null}}"#;
    check(CREATE, null, r#"{"Labels":{"sockwarden.creator":"name:ci"}}"#);
    // A key that only Go's fields would take for it.
    let odd = "{\"Labels\":{\"\u{17f}ockwarden.creator\":\"name:x\"}}";
    check(CREATE, odd, r#"{"Labels":{"sockwarden.creator":"name:ci"}}"#);
    // Other spellings stay refused, and so do other things than labels.
    for body in [r#"{"Labels":{"Sockwarden.creator":"name:ci"}}"#, r#"{"Labels":["a"]}"#] {
        assert!(sent("name:ci", &[false], &[], CREATE, body).is_err(), "{body}");
    }
}

#[test]
fn a_service_says_it_twice() {
    let body = r#"{"Name":"x","TaskTemplate":{"ContainerSpec":{"Image":"x","Labels":{"sockwarden.creator":"name:other"}}}}"#;
    let want = r#"{"Name":"x","TaskTemplate":{"ContainerSpec":{"Image":"x","Labels":{"sockwarden.creator":"name:ci"}}},"Labels":{"sockwarden.creator":"name:ci"}}"#;
    check("POST /services/create", body, want);
    check("POST /services/x/update?version=1", body, want);
    let plugin = r#"{"Name":"x","Labels":null,"TaskTemplate":{"PluginSpec":{}}}"#;
    let want = r#"{"Name":"x","TaskTemplate":{"PluginSpec":{}},"Labels":{"sockwarden.creator":"name:ci"}}"#;
    check("POST /services/create", plugin, want);
}

#[test]
fn nothing_else_is_written_on() {
    for line in ["POST /networks/create", "POST /volumes/create", "POST /containers/x/update"] {
        check(line, r#"{"Name":"x"}"#, r#"{"Name":"x"}"#);
    }
    // Images never carry it.
    let commit = r#"{"Labels":{"sockwarden.creator":"name:ci"}}"#;
    assert!(sent("name:ci", &[false], &[], "POST /commit?container=x", commit).is_err());
    let changes = "POST /images/create?fromSrc=-&changes=LABEL+sockwarden.creator%3Dname:ci";
    assert!(sent("name:ci", &[false], &[], changes, "{}").is_err());
}

#[test]
fn only_who_may_hand_out_rights_everywhere_sets_it() {
    let body = r#"{"Labels":{"sockwarden.creator":"name:other"}}"#;
    assert_eq!(sent("name:ci", &[true], &[], CREATE, body).as_deref(), Ok(body));
    assert_eq!(sent("name:ci", &[true, true], &[], CREATE, "{}").as_deref(), Ok("{}"));
    let marked = r#"{"Labels":{"sockwarden.creator":"name:ci"}}"#;
    assert_eq!(sent("name:ci", &[true, false], &[], CREATE, body).as_deref(), Ok(marked));
}

#[test]
fn names_of_creators_are_not_free() {
    let makers = ["service:web/ci", "name:runner", "user:7"];
    let outcome =
        |client: &str, line: &str, body: &str| sent(client, &[false], &makers, line, body);
    let compose = |project: &str, service: &str| {
        let labels = format!(
            r#""Labels":{{"com.docker.compose.project":"{project}","com.docker.compose.service":"{service}"}}"#
        );
        let in_service = format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{{labels}}}}}}}"#);
        [(CREATE, format!("{{{labels}}}")), ("POST /services/create", in_service)]
    };
    for (line, body) in compose("web", "ci") {
        let refused = outcome("name:other", line, &body).unwrap_err();
        assert!(refused.contains("the Compose service `ci` of the project `web`"), "{refused}");
        // Its own name, and what may hand out rights.
        assert!(outcome("service:web/ci", line, &body).is_ok());
        assert!(sent("name:other", &[true], &makers, line, &body).is_ok());
    }
    for (line, body) in compose("web", "db").into_iter().chain(compose("shop", "ci")) {
        assert!(outcome("name:other", line, &body).is_ok(), "{body}");
    }
    let named = "POST /containers/create?name=runner";
    let alias = r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["runner"]}}}}"#;
    let service = r#"{"Name":"runner"}"#;
    for (line, body) in [(named, "{}"), (CREATE, alias), ("POST /services/create", service)] {
        let refused = outcome("name:other", line, body).unwrap_err();
        assert!(refused.contains("takes the name `runner`"), "{refused}");
        assert!(outcome("name:runner", line, body).is_ok(), "{line}");
    }
    // Another container that gets the name would be taken for the creator, so not even the creator gives it.
    let full = format!("POST /containers/{}/rename?name=runner", id("b7"));
    assert!(outcome("name:other", &full, "{}").is_err());
    assert!(outcome("name:runner", &full, "{}").is_err());
    assert!(sent("name:runner", &[true], &makers, &full, "{}").is_ok());
    // A service of Compose is no name.
    assert!(outcome("name:other", "POST /containers/create?name=ci", "{}").is_ok());
}

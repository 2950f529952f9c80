//! What labels give, key by key.

use super::*;
use crate::text::{escaped, is_printable};

fn rights_under(prefixes: &[&str], labels: &[(&str, &str)]) -> Rights {
    let labels =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let rights = LabelReader::default().rights(&labels, &prefixes);
    for key in labels.keys() {
        // What is read as rights, rightly or wrongly, no client may set.
        assert!(!is_policy(key, &prefixes) || is_reserved(key, &prefixes), "{key}");
    }
    rights
}

const BOTH: &[&str] = &["socket-proxy", "sockwarden"];
const NONE: &str = "no label of its own: the default allowlist, if it is in allowfrom";

#[track_caller]
fn check(labels: &[(&str, &str)], want: &str) {
    assert_eq!(rights_under(BOTH, labels).to_string(), want);
}

/// The label costs its container all rights, and the message holds this.
#[track_caller]
fn check_mistake(prefixes: &[&str], key: &str, value: &str, want: &str) {
    for more in
        [&[][..], &[("sockwarden.allow.get.own", "/a"), ("com.example.allow.get.own", "/a")]]
    {
        let rights = rights_under(prefixes, &[&[(key, value)], more].concat());
        assert!(matches!(rights, Rights::Broken(_)), "{key}: {rights}");
        let text = rights.to_string();
        assert!(text.contains(want), "`{want}` is not in `{text}`");
        assert!(text.contains(&format!("label `{}`", escaped(key))), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_label_is_told_in_characters_that_show() {
    for (key, value) in [
        ("sockwarden.bindmountfrom", "srv\u{202e}\n\u{1b}[2J"),
        ("sockwarden.hostaccess", "de\u{200b}ny"),
        ("sockwarden.allow.g\u{202e}et", "/a"),
        ("sockwarden.allow.get", "/a\u{202e}("),
        ("sockwarden.allow.get", "(?\u{202e})"),
        ("sockwarden.\u{2066}get", "/a"),
    ] {
        let text = rights_under(BOTH, &[(key, value)]).to_string();
        assert!(text.contains(r"\u{") && text.chars().all(is_printable), "{text:?}");
    }
}

/// A key that is in no table, and the one that is suggested.
#[track_caller]
fn check_nearest(key: &str, nearest: &str) {
    check_mistake(BOTH, key, "/a", &format!("did you mean `{nearest}`?"));
}

#[test]
fn labels_are_a_union_of_patterns() {
    check(&[], NONE);
    check(&[("com.example", "x"), ("socket-proxyx.allow.get", "/a"), ("sockwarden", "x")], NONE);
    check(&[("socket-proxy.allow.get", "/a")], "GET /a");
    check(
        &[
            ("socket-proxy.allow.GET", "/a"),
            ("socket-proxy.allow.get.2", "/b"),
            ("sockwarden.allow.Get.x.y", "/c"),
        ],
        "GET /a or /b or /c",
    );
    check(
        &[("sockwarden.allow.post", "/a"), ("socket-proxy.allow.head", "/b")],
        "HEAD /b, POST /a",
    );
    check(
        &[("sockwarden.allow.bindmountfrom", "/srv, /data/x/")],
        "nothing but a ping, bind mounts from /data/x /srv",
    );
    check(
        &[("sockwarden.bindmountfrom", "/srv"), ("sockwarden.hostaccess", "Deny")],
        "nothing but a ping, bind mounts from /srv, no access to the host",
    );
}

#[test]
fn every_key_of_the_table_is_read() {
    for known in keys::KEYS {
        let name = known.name.replace("METHOD", "get").replace("ANYTHING", "note");
        let value = match known.name {
            "hostaccess" => "deny",
            "allow" => "read",
            "images" => "docker.io/library/*",
            "allow.labels" => "true",
            _ => "/a",
        };
        let is_inert = name == "creator" || name.starts_with("x-");
        let rights = |prefix: &str| {
            let rights = rights_under(&[prefix], &[(&format!("{prefix}.{name}"), value)]);
            match rights {
                Rights::Own(_) => "read",
                Rights::Unlabelled => "passed over",
                Rights::Broken(_) => "a mistake",
            }
        };
        assert_eq!(rights("sockwarden"), if is_inert { "passed over" } else { "read" }, "{name}");
        assert_eq!(rights("com.example"), if is_inert { "passed over" } else { "read" }, "{name}");
        let peer = match (is_inert, known.is_new) {
            (true, _) => "passed over",
            (false, true) => "a mistake",
            (false, false) => "read",
        };
        assert_eq!(rights("socket-proxy"), peer, "{name}");
    }
}

#[test]
fn notes_and_the_creator_are_no_rights_and_no_mistakes() {
    check(&[("sockwarden.x-owner", "web team"), ("sockwarden.x-", "")], NONE);
    check(&[("sockwarden.creator", "service:web/traefik")], NONE);
    check(&[("sockwarden.creator", "name:x"), ("sockwarden.allow.get", "/a")], "GET /a");
    // They are ours all the same, so nobody sets them on what it creates.
    let prefixes = ["com.example".to_owned()];
    assert!(is_reserved("sockwarden.creator", &prefixes));
    assert!(is_reserved("SockWarden.Creator", &prefixes));
    assert!(!is_reserved("sockwarden.allow.get", &prefixes));
    assert!(is_reserved("Com.Example.anything", &prefixes));
    assert!(!is_reserved("com.examples.anything", &prefixes));
    // The key is this one alone.
    check_mistake(&["sockwarden.team"], "sockwarden.team.creator", "x", "no such key");
}

#[test]
fn an_unknown_key_of_ours_costs_all_rights_and_names_the_nearest() {
    check_nearest("sockwarden.get", "sockwarden.allow.get");
    check_nearest("sockwarden.GET", "sockwarden.allow.get");
    check_nearest("sockwarden.get.containers", "sockwarden.allow.get");
    check_nearest("sockwarden.alow.get", "sockwarden.allow.get");
    check_nearest("sockwarden.allowget", "sockwarden.allow.get");
    check_nearest("sockwarden.allow_get", "sockwarden.allow.get");
    check_nearest("sockwarden.allow-post.x", "sockwarden.allow.post");
    check_nearest("sockwarden.allows.delete", "sockwarden.allow.delete");
    check_nearest("SockWarden.Allow.Get", "sockwarden.allow.get");
    check_nearest("SOCKWARDEN.allow.get.2", "sockwarden.allow.get.2");
    check_nearest("sockwarden.Allow.get", "sockwarden.allow.get");
    for unseen in [" ", "\t", "\u{a0}", "\u{feff}", "\u{200b}", "\u{202e}\u{2060}", "\u{1}"] {
        check_nearest(&format!("{unseen}sockwarden.allow.get"), "sockwarden.allow.get");
    }
    check_nearest("\"sockwarden.hostaccess", "sockwarden.hostaccess");
    check_nearest("sockwarden.hostaccess ", "sockwarden.hostaccess");
    check_nearest("sockwarden.HostAccess", "sockwarden.hostaccess");
    check_nearest("sockwarden.hostacess", "sockwarden.hostaccess");
    check_nearest("sockwarden.host_access", "sockwarden.hostaccess");
    check_nearest("sockwarden.allow.hostaccess", "sockwarden.hostaccess=deny");
    check_nearest("sockwarden.hostaccess.x", "sockwarden.hostaccess");
    check_nearest("sockwarden.deny.hostmounts", "sockwarden.hostaccess=deny");
    check_nearest("sockwarden.denyhostmounts", "sockwarden.hostaccess=deny");
    check_nearest("sockwarden.nohostaccess", "sockwarden.hostaccess=deny");
    check_nearest("sockwarden.bindmount", "sockwarden.bindmountfrom");
    check_nearest("sockwarden.allowbindmountfrom", "sockwarden.allow.bindmountfrom");
    check_nearest("sockwarden.allow.bindmountfrom.x", "sockwarden.allow.bindmountfrom");
    check_nearest("sockwarden.allow.bindmounts", "sockwarden.allow.bindmountfrom");
    check_nearest("sockwarden.allow.lables", "sockwarden.allow.labels");
    check_nearest("sockwarden.allow.labels.x", "sockwarden.allow.labels");
    check_nearest("sockwarden.Creator", "sockwarden.creator");
    check_nearest("sockwarden.X-note", "sockwarden.x-note");
    check_nearest("SockWarden.x-note", "sockwarden.x-note");
    check_nearest("sockwarden.allow.gte", "GET");
    check_nearest("sockwarden.allow.pots", "POST");
    check_nearest("sockwarden.allow.get-2", "GET");
}

#[test]
fn a_key_that_is_like_none_gets_no_suggestion_that_gives_more() {
    for key in [
        "sockwarden.",
        "sockwarden.env",
        "sockwarden.labels",
        "sockwarden.label",
        "sockwarden.note",
        "sockwarden.x",
        "sockwarden.xnote",
        "sockwarden..allow.get",
        "SOCKWARDEN.x",
        "sockwarden.team.allow.get",
    ] {
        check_mistake(BOTH, key, "/a", "sockwarden has no such key; there are `allow`,");
    }
    for key in ["sockwarden.allow.all", "sockwarden.allow.tables", "sockwarden.allow.everything"] {
        check_mistake(BOTH, key, "/a", "is not one of the names that may follow `allow.`");
    }
    check_mistake(BOTH, "sockwarden.allow.", "/a", "a name must follow `allow.`");
}

#[test]
fn under_a_shared_prefix_only_near_misses_are_mistakes() {
    for shared in ["socket-proxy", "com.example"] {
        let prefixes = &[shared][..];
        for foreign in ["get", "note", "version", "creator", "Creator", "x-note", ""] {
            let rights = rights_under(prefixes, &[(&format!("{shared}.{foreign}"), "/a")]);
            assert!(matches!(rights, Rights::Unlabelled), "{foreign}: {rights}");
        }
        for (near, nearest) in [
            ("alow.get", "allow.get"),
            ("Allow.get", "allow.get"),
            ("ALLOW.GET", "allow.get"),
            ("hostacces", "hostaccess"),
            ("HostAccess", "hostaccess"),
        ] {
            let want = format!("did you mean `{shared}.{nearest}`?");
            check_mistake(prefixes, &format!("{shared}.{near}"), "/a", &want);
            let upper = shared.to_uppercase();
            check_mistake(prefixes, &format!("{upper}.{near}"), "/a", &want);
        }
        check_mistake(prefixes, &format!("{shared}.allow.gte"), "/a", "did you mean `GET`?");
        let upper = shared.to_uppercase();
        let want = format!("did you mean `{shared}.allow.get`?");
        check_mistake(prefixes, &format!("{upper}.allow.get"), "/a", &want);
    }
    for key in
        ["socket-proxy.bindmountfrom", "Socket-Proxy.bindmountfrom", "socket-proxy.BindMountFrom"]
    {
        check_mistake(BOTH, key, "/srv", "use `socket-proxy.allow.bindmountfrom`");
    }
    for key in ["allow", "images", "scope", "hide"] {
        let want = format!("use `sockwarden.{key}`");
        check_mistake(BOTH, &format!("socket-proxy.{key}"), "read", &want);
    }
    for key in ["scope", "hide"] {
        for prefix in ["sockwarden", "com.example"] {
            check_mistake(&[prefix], &format!("{prefix}.{key}"), "x", "not in this version");
        }
    }
    // However long: what is not read must not be passed over.
    let long = "x".repeat(1000);
    for key in ["allow.gte.", "alow.get.", "allow.", "hostaccess."] {
        check_mistake(BOTH, &format!("socket-proxy.{key}{}", "x".repeat(150)), "/a", "label `");
        let labels = [(format!("socket-proxy.{key}{long}"), "/a")];
        let rights =
            rights_under(BOTH, &labels.each_ref().map(|(key, value)| (key.as_str(), *value)));
        assert!(matches!(rights, Rights::Broken(_)), "{key}: {rights}");
    }
    check_nearest("socket-proxy.bindmountform", "socket-proxy.allow.bindmountfrom");
    check_mistake(
        &["com.example"],
        "com.example.bindmountfro",
        "/srv",
        "did you mean `com.example.bindmountfrom`?",
    );
}

#[test]
fn a_prefix_in_our_name_space_is_ours_alone() {
    for prefix in ["sockwarden", "sockwarden.team", "SockWarden"] {
        let key = |rest: &str| format!("{prefix}.{rest}");
        check_mistake(&[prefix], &key("views"), "x", "no such key");
        check_mistake(&[prefix], &key("get"), "/a", &format!("did you mean `{prefix}.allow.get`?"));
        let rights = rights_under(&[prefix], &[(&key("allow.get"), "/a")]);
        assert!(matches!(rights, Rights::Own(_)), "{rights}");
    }
}

#[test]
fn one_bad_label_costs_all_rights_and_says_why() {
    check(
        &[("socket-proxy.allow.gte", "/a"), ("socket-proxy.allow.post", "/b")],
        "nothing, because label `socket-proxy.allow.gte`: `gte` is neither a method nor `bindmountfrom` or `labels`; did you mean `GET`?",
    );
    check(
        &[("sockwarden.alow.get", "/a")],
        "nothing, because label `sockwarden.alow.get`: sockwarden has no such key; did you mean `sockwarden.allow.get`?",
    );
    check(
        &[("sockwarden.allow.bindmountfrom", "srv")],
        "nothing, because label `sockwarden.allow.bindmountfrom`: `srv` is not an absolute directory without `.` and `..`; give one such as `/srv/data`, or several with commas between them",
    );
    for bad in ["sockwarden.allow.get.", "sockwarden.allow.get"] {
        check_mistake(BOTH, bad, "(", "is not a valid pattern");
    }
    check_mistake(BOTH, "sockwarden.allow.bindmountfrom", "/a/../b", "`/a/../b` is not");
}

#[test]
fn an_empty_value_is_a_mistake() {
    for name in [
        "sockwarden.allow.get",
        "sockwarden.allow.bindmountfrom",
        "sockwarden.bindmountfrom",
        "sockwarden.allow.labels",
        "sockwarden.hostaccess",
        "socket-proxy.allow.post.x",
    ] {
        check_mistake(BOTH, name, "", "");
    }
}

#[test]
fn truth_values_are_those_of_the_flags() {
    for yes in ["true", "True", "TRUE", "t", "T", "1", " true "] {
        check(&[("sockwarden.allow.labels", yes)], "nothing but a ping, labels that carry rights");
    }
    for no in ["false", "False", "FALSE", "f", "F", "0"] {
        check(&[("sockwarden.allow.labels", no)], "nothing but a ping");
    }
    for wrong in ["yes", "on", "tRue", "2", ""] {
        check_mistake(BOTH, "sockwarden.allow.labels", wrong, "is not a truth value");
    }
}

/// A limit that is said twice must be said alike: of two the wider one must not win.
#[test]
fn labels_of_one_meaning_must_agree() {
    for (one, other) in [
        (("sockwarden.bindmountfrom", "/srv"), ("sockwarden.allow.bindmountfrom", "/srv,/data")),
        (("sockwarden.bindmountfrom", "/"), ("socket-proxy.allow.bindmountfrom", "/srv")),
        (("socket-proxy.allow.bindmountfrom", "/a"), ("sockwarden.allow.bindmountfrom", "/b")),
        (("sockwarden.allow.labels", "true"), ("socket-proxy.allow.labels", "false")),
        (("sockwarden.hostaccess", "allow"), ("socket-proxy.hostaccess", "deny")),
    ] {
        let text = rights_under(BOTH, &[one, other]).to_string();
        assert!(text.contains("says something else than another label"), "{text}");
    }
    check(
        &[
            ("sockwarden.bindmountfrom", "/srv,/data/"),
            ("sockwarden.allow.bindmountfrom", "/data, /srv"),
        ],
        "nothing but a ping, bind mounts from /data /srv",
    );
}

#[test]
fn another_prefix_replaces_both() {
    let other = &["com.example"][..];
    for foreign in ["socket-proxy.allow.get", "sockwarden.allow.get", "sockwarden.scope"] {
        assert!(matches!(rights_under(other, &[(foreign, "/a")]), Rights::Unlabelled));
    }
    let labels = &[("com.example.allow.get", "/a"), ("com.example.other", "x")];
    assert!(matches!(rights_under(other, labels), Rights::Own(_)));
}

#[test]
fn the_same_labels_are_compiled_once() {
    let mut reader = LabelReader::default();
    let labels =
        |value: &str| BTreeMap::from([("sockwarden.allow.get".to_owned(), value.to_owned())]);
    let prefixes = ["sockwarden".to_owned()];
    let (Rights::Own(first), Rights::Own(second)) =
        (reader.rights(&labels("/a"), &prefixes), reader.rights(&labels("/a"), &prefixes))
    else {
        panic!("labels were not read");
    };
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn the_guide_has_every_key_of_the_table() {
    let guide = include_str!("../../../docs/per-container-allowlists.md");
    for known in keys::KEYS.iter().filter(|known| known.name != "creator") {
        let key = format!("`sockwarden.{}`", known.name.replace("METHOD", "get"));
        assert!(guide.contains(&key), "{key} is not in docs/per-container-allowlists.md");
    }
}

/// What is wrong is told in every refusal, so it must not be as large as the labels.
#[test]
fn labels_of_any_size_make_short_messages() {
    let long = "x".repeat(1 << 20);
    let key = |number: usize| format!("sockwarden.{number}{long}");
    let (first, second) = (key(1), format!("sockwarden.allow.bindmountfrom.{long}"));
    let many: Vec<String> = (0..100).map(|number| format!("sockwarden.n{number}")).collect();
    let mut labels: Vec<(&str, &str)> =
        many.iter().map(|key| (key.as_str(), long.as_str())).collect();
    labels.extend([(first.as_str(), ""), (second.as_str(), "")]);
    let text = rights_under(BOTH, &labels).to_string();
    assert!(text.len() < 8 * 1024 && text.contains("and 94 labels more"), "{}", text.len());
    for key in ["sockwarden.hostaccess", "sockwarden.allow.labels", "sockwarden.bindmountfrom"] {
        let text = rights_under(BOTH, &[(key, &long)]).to_string();
        assert!(text.len() < 1024, "{}", text.len());
    }
    let text = rights_under(BOTH, &[("sockwarden.allow.get", &format!("{long}("))]).to_string();
    assert!(text.len() < 2048, "{}", text.len());
}

#[test]
fn words_are_read_and_every_mistake_is_told() {
    let rights =
        rights_under(BOTH, &[("sockwarden.allow", "read, lifecycle(label:autoheal=true)")]);
    let Rights::Own(list) = &rights else { panic!("{rights}") };
    assert!(list.words.gives(crate::request::Operation::ContainerRestart) && !list.may_label);
    assert_eq!(rights.to_string(), "read, lifecycle(label:autoheal=true)");
    let rights = rights_under(
        BOTH,
        &[
            ("sockwarden.allow", "read, grant-rights"),
            ("sockwarden.images", "docker.io/library/*"),
            ("sockwarden.hostaccess", "cap:NET_ADMIN"),
            ("sockwarden.allow.get", "/info"),
        ],
    );
    assert_eq!(
        rights.to_string(),
        "read, grant-rights, GET /info, images docker.io/library/* only, no access to the host but cap:NET_ADMIN, labels that carry rights"
    );
    let both = [("sockwarden.allow", "grant-rights"), ("sockwarden.allow.labels", "false")];
    let rights = rights_under(BOTH, &both);
    assert!(matches!(rights, Rights::Broken(_)), "{rights}");
    let rights = rights_under(BOTH, &[("sockwarden.allow", "raed, exec(, ")]).to_string();
    assert!(rights.contains("did you mean `read`?") && rights.contains("parenthesis"), "{rights}");
    for (key, value) in [
        ("sockwarden.allow", ""),
        ("sockwarden.allow", "True"),
        ("sockwarden.images", ""),
        ("sockwarden.hostaccess", ""),
        ("sockwarden.hostaccess", "cap:"),
    ] {
        let rights = rights_under(BOTH, &[(key, value)]);
        assert!(matches!(rights, Rights::Broken(_)), "{key}={value}: {rights}");
    }
}

#[test]
fn a_limit_that_is_written_wrong_is_not_lost_under_a_prefix_of_ones_own() {
    let both = &["sockwarden", "com.example"];
    for key in ["image", "imags", "imgaes", "Images", "images.1"] {
        let key = format!("com.example.{key}");
        check_mistake(both, &key, "alpine", "did you mean `com.example.images`?");
    }
    for key in ["Scope", "HIDE"] {
        let key = format!("com.example.{key}");
        check_mistake(both, &key, "x", &key.to_lowercase());
    }
    for key in ["socket-proxy.image", "socket-proxy.Images"] {
        check_mistake(BOTH, key, "alpine", "`sockwarden.images`");
    }
    for others in ["com.example.pages", "com.example.usages", "com.example.side"] {
        assert_eq!(rights_under(both, &[(others, "x")]).to_string(), NONE, "{others}");
    }
}

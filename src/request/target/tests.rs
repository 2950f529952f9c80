//! Targets that have one reading, and those that do not.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(raw: &str, want: &str) {
    let got = match RequestTarget::parse(raw) {
        Ok(target) => format!("{} | {}", target.path(), target.to_wire()),
        Err(error) => format!("{error:?}"),
    };
    assert_eq!(got, want, "{raw}");
}

#[test]
fn ordinary_targets_are_decoded_once_and_printed_canonically() {
    check("/_ping", "/_ping | /_ping");
    check("/", "/ | /");
    check("/v1.41/containers/json?all=1", "/containers/json | /v1.41/containers/json?all=1");
    check("/%63ontainers/%6ason", "/containers/json | /containers/json");
    check("/v1%2e41/info", "/info | /v1.41/info");
    check("/%761.41/info", "/info | /v1.41/info");
    check(
        "/images/docker.io/library/x:1/json",
        "/images/docker.io/library/x:1/json | /images/docker.io/library/x:1/json",
    );
    check("/images/sha256%3Aabc/json", "/images/sha256:abc/json | /images/sha256:abc/json");
    check("/networks/my%20net", "/networks/my net | /networks/my%20net");
    check("/volumes", "/volumes | /volumes");
    check("/v5.0.0/libpod/info", "/libpod/info | /v5.0.0/libpod/info");
    check("/V1.41/info", "/V1.41/info | /V1.41/info");
}

#[test]
fn what_has_two_readings_is_refused() {
    check("/containers%2Fcreate", "AmbiguousByte(\"%2F\")");
    check("/containers/a%2fexport%3f/json", "AmbiguousByte(\"%2F\")");
    check("/containers/a%252fb/json", "AmbiguousByte(\"%25\")");
    check("/containers/a%5c..%5cb", "AmbiguousByte(\"%5C\")");
    check("/containers/json%00", "AmbiguousByte(\"%00\")");
    check("/containers/json%0a", "AmbiguousByte(\"%0A\")");
    check("/containers/%ff/json", "AmbiguousByte(\"%FF\")");
    check("/containers/json;x=1", "AmbiguousByte(\";\")");
    check("/containers/json#frag", "AmbiguousByte(\"#\")");
    check("/containers/json%3Fall=1", "AmbiguousByte(\"%3F\")");
    check("/containers/%zz/json", "BrokenEncoding");
    check("/containers/%+1/json", "BrokenEncoding");
    check("//containers/json", "EmptySegment");
    check("/containers/json/", "EmptySegment");
    check("/containers/", "EmptySegment");
    check("/v1.41//containers/create", "EmptySegment");
    check("/./containers/json", "DotSegment");
    check("/x/../containers/json", "DotSegment");
    check("/containers/%2e%2e/containers/json", "DotSegment");
    check("http://evil/containers/json", "NotOriginForm");
    check("*", "NotOriginForm");
    check("x:80", "NotOriginForm");
    check("", "NotOriginForm");
}

#[test]
fn only_the_plain_version_prefix_is_one() {
    for odd in [
        "v1.41.", "v1.41..0", "v1.41.0", "v01.41", "v1.041", "v1", "v1.", "v.1", "v..", "v1.41a",
        "v1.-1", "v123.1", "v1.1234",
    ] {
        check(&format!("/{odd}/containers/create"), &format!("OddVersion({odd:?})"));
    }
    check("/v1.41", "OddVersion(\"v1.41\")");
    check(
        "/v1.12/containers/json",
        "VersionTooOld(ApiVersion { major: 1, minor: 12, patch: None })",
    );
    check(
        "/v1.23/containers/X/start",
        "VersionTooOld(ApiVersion { major: 1, minor: 23, patch: None })",
    );
    check("/v0.9/info", "VersionTooOld(ApiVersion { major: 0, minor: 9, patch: None })");
    check("/v1.24/info", "/info | /v1.24/info");
    check("/v99.1/info", "/info | /v99.1/info");
}

#[test]
fn queries_are_read_as_go_reads_them() {
    check(
        "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D",
        "/events | /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D",
    );
    check("/a?x=1+2&y", "/a | /a?x=1%202&y=");
    check("/a?&&x=1&", "/a | /a?x=1");
    check("/a?x=a=b", "/a | /a?x=a%3Db");
    check("/containers/C/rename?name=app-1&name=proxy", "RepeatedParameter(\"name\")");
    check("/containers/C/rename?name=app-1&n%61me=proxy", "RepeatedParameter(\"name\")");
    check("/a?x=1;y=2", "SemicolonInQuery");
    check("/a?x=%zz", "BrokenQueryEncoding");
    check("/a?x=%ff", "QueryNotText");
}

/// Docker reads the first of several, Podman the last, and Podman takes them in any case.
#[test]
fn parameters_have_one_reading_for_every_engine() {
    #[track_caller]
    fn check(line: &str, want: &str) {
        let (method, raw) = line.split_once(' ').unwrap();
        let got = match RequestTarget::parse_for(Method::parse(method).unwrap(), raw) {
            Ok(target) => target
                .query()
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(got, want, "{line}");
    }
    check("POST /build?t=a&t=b", "t=a t=b");
    check("POST /build?securityopt=a&securityopt=b", "securityopt=a securityopt=b");
    check("POST /build?q=1&q=1", "RepeatedParameter(\"q\")");
    check("POST /build?dockerfile=a&dockerfile=b", "dockerfile=a");
    check("GET /system/df?type=image&type=volume", "type=image type=volume");
    check("POST /containers/create?platform=a&platform=b", "RepeatedParameter(\"platform\")");
    check("POST /containers/create?Name=x", "OddParameter(\"Name\", \"name\")");
    check("POST /containers/create?name=a&NAME=b", "OddParameter(\"NAME\", \"name\")");
    check("POST /commit?Changes=LABEL", "OddParameter(\"Changes\", \"changes\")");
    check("POST /build?NetworkMode=host", "OddParameter(\"NetworkMode\", \"networkmode\")");
    check(
        "POST /build?networ%E2%84%AAmode=host",
        "OddParameter(\"networ\u{212a}mode\", \"networkmode\")",
    );
    check("POST /images/create?fromimage=a", "OddParameter(\"fromimage\", \"fromImage\")");
    check("GET /containers/json?new=1&New=2", "AlikeParameters(\"new\", \"New\")");
    check("POST /libpod/build?X=1&x=2", "AlikeParameters(\"X\", \"x\")");
    check("POST /libpod/containers/a/wait?condition=a&condition=b", "condition=a condition=b");
    check("GET /libpod/images/export?references=a&references=b", "references=a references=b");
}

proptest! {
    #[test]
    fn printing_and_parsing_agree(raw in "(/build[?](&?(dockerfile|t|q)=[a-c]?){0,6})|(/[a-zA-Z0-9%. ~:@+;?&=#é\\\\]{0,12}){1,6}(\\?[ -~]{0,40})?") {
        for method in Method::ALL {
            if let Ok(target) = RequestTarget::parse_for(method, &raw) {
                // What the engine reads once stands there once.
                let once = target.query().all("dockerfile").count() < 2;
                prop_assert!(once);
                let wire = target.to_wire();
                prop_assert!(wire.is_ascii());
                prop_assert_eq!(RequestTarget::parse_for(method, &wire), Ok(target));
            }
        }
    }

    #[test]
    fn names_and_slashes_stay_where_they_are(
        name in "[a-c.]{0,2}([%;?#é/\\\\]|%2[0-9A-Fa-f]|%5c|[a-f0-9]){1,6}",
        place in prop::sample::select(&["/networks/{}", "/networks/{}/connect", "/volumes/{}", "/images/{}/json", "/images/{}", "/v1.22/images/{}/push", "/containers/{}/json", "/libpod/images/{}/json", "/libpod/containers/{}/json"][..]),
        encode_all in any::<bool>(),
    ) {
        let sent: String = name
            .bytes()
            .map(|byte| if encode_all { format!("%{byte:02x}") } else { char::from(byte).to_string() })
            .collect();
        let raw = place.replace("{}", &sent);
        for method in Method::ALL {
            let Ok(target) = RequestTarget::parse_for(method, &raw) else { continue };
            // What is one segment to Podman stays one.
            let is_looked_up = place.starts_with("/libpod/containers/");
            if encode_all {
                // Nothing was decoded but once.
                let version = if place.starts_with("/v1.22") { "/v1.22" } else { "" };
                let read = target.path().replace("%2F", if is_looked_up { "/" } else { "%2F" });
                prop_assert_eq!(format!("{version}{read}"), place.replace("{}", &name));
            }
            let wire = target.to_wire();
            prop_assert_eq!(RequestTarget::parse_for(method, &wire), Ok(target.clone()));
            let path = wire.split('?').next().unwrap_or_default().to_ascii_lowercase();
            prop_assert!(is_looked_up || !path.contains("%2f"));
            let head = super::super::Head::new(method, target, []);
            let is_named = is_looked_up || head.operation.object(head.target.path()).is_some();
            let is_odd = head.target.path().contains(['%', ';', '?', '#', 'é']);
            prop_assert!(is_named || !is_odd, "{}", head.target);
        }
    }

    #[test]
    fn no_text_makes_it_panic(raw in any::<String>()) {
        let _ = RequestTarget::parse(&raw);
    }
}

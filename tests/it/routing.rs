//! What a target means: the engine sees one canonical spelling of what was judged, or nothing.

use crate::fake_engine::{Reply, Request, docker_like};
use crate::support::{Setup, get, run, with_body};

const ALL: &[&str] = &["GET .*", "HEAD .*", "POST .*", "PUT .*", "DELETE .*", "OPTIONS .*"];

/// What came of a request: the status, whether the proxy closed the connection, and the request lines the engine saw.
fn outcome(allow: &[&str], request: &str) -> (u16, bool, Vec<String>) {
    run(async {
        let stage = Setup::allowing(allow).script(finite).start().await;
        let mut client = stage.client().await;
        client.send(request).await;
        let answer = client.answer_to(request).await;
        if answer.closes() {
            client.ends().await;
        }
        let lines: Vec<_> = stage.reached().await.iter().map(|it| it.requests[0].line()).collect();
        if lines.is_empty() && !request.starts_with("HEAD") {
            let message = answer.message();
            assert!(message.starts_with("sockwarden: ") && message.contains("(id "), "{message}");
        }
        (answer.status, answer.closes(), lines)
    })
}

/// Like the daemon, but with an end to its events.
fn finite(request: &Request) -> Reply {
    if request.path() == "/events" { Reply::json("200 OK", "") } else { docker_like(request) }
}

/// Refused before anybody asks what is allowed, and the connection with it.
#[track_caller]
fn malformed(line: &str) {
    assert_eq!(outcome(ALL, &get(line, &[])), (400, true, Vec::new()), "{line}");
}

/// Understood, and not allowed.
#[track_caller]
fn denied(allow: &str, line: &str, status: u16) {
    assert_eq!(outcome(&[allow], &get(line, &[])), (status, false, Vec::new()), "{line}");
}

/// With everything allowed, the request line reaches the engine like this.
#[track_caller]
fn arrives(line: &str, want: &str) {
    let (status, _, lines) = outcome(ALL, &get(line, &[]));
    assert_eq!(lines, [want], "{line}");
    assert!(matches!(status, 200..300 | 404), "{line} was answered {status}");
}

#[test]
fn odd_versions_never_reach_the_engine() {
    for version in [
        "v1.41.",
        "v1.41..",
        "v1.41..0",
        "v1.41.0",
        "v1.41.0.",
        "v1.41.000",
        "v1.041",
        "v01.41",
        "v001.00041",
        "v1.24.",
        "v1.40.99",
        "v1.24.999",
        "v1.41.2",
        "v1.042",
        "v99",
        "v1",
        "v1.",
        "v1..41",
        "v.",
        "v...",
        "v1.41a",
        "v1.41.-1",
        "v1%2e041",
    ] {
        malformed(&format!("GET /{version}/containers/json"));
        malformed(&format!("POST /{version}/containers/create"));
    }
    malformed("GET /v1.41");
    malformed("GET /v1.41/v1.41./info/");
}

/// skopeo asks under 1.22. A start under 1.23 replaces what a container was created with.
#[test]
fn old_versions_read_and_load_images_and_do_nothing_else() {
    for version in ["v1.4", "v1.22", "v1.23", "v1.12", "v0.1"] {
        for line in ["GET /_ping", "GET /containers/json", "GET /images/a/get", "HEAD /_ping"] {
            let line = line.replace(" /", &format!(" /{version}/"));
            arrives(&line, &line);
        }
        let load = format!("POST /{version}/images/load");
        let request = with_body(&load, "application/x-tar", "tar");
        assert_eq!(outcome(ALL, &request), (404, false, vec![load]));
        for line in [
            "POST /containers/app/start",
            "POST /containers/create",
            "POST /containers/app/copy",
            "POST /images/load/push",
            "POST /images/create",
            "POST /build",
            "POST /exec/e1/start",
            "PUT /containers/app/archive",
            "PUT /images/load",
            "DELETE /containers/app",
            "OPTIONS /info",
        ] {
            malformed(&line.replace(" /", &format!(" /{version}/")));
        }
    }
    // A pattern for it is still needed.
    denied(r"GET /v1\.4\d/containers/json", "GET /v1.22/containers/json", 403);
    let any = r"GET (/v1\.\d+)?/containers/json";
    assert_eq!(outcome(&[any], &get("GET /v1.22/containers/json", &[])).0, 200);
}

#[test]
fn a_version_is_one_however_it_is_written() {
    arrives("GET /v1.41/containers/json", "GET /v1.41/containers/json");
    arrives("GET /v1.24/containers/json", "GET /v1.24/containers/json");
    arrives("GET /v1%2e41/containers/json", "GET /v1.41/containers/json");
    arrives("GET /v%31.41/containers/json", "GET /v1.41/containers/json");
    arrives("GET /%761.41/containers/json", "GET /v1.41/containers/json");
    // No versions to the daemon either, which answers 404.
    arrives("GET /V1.41/info", "GET /V1.41/info");
    arrives("GET /v/info", "GET /v/info");
    arrives("GET /v1.41/v1.41/info", "GET /v1.41/v1.41/info");
    // Podman's.
    arrives("GET /v5.0.0/libpod/info", "GET /v5.0.0/libpod/info");
}

#[test]
fn paths_with_two_readings_never_reach_the_engine() {
    for path in [
        "/containers%2Fjson",
        "/containers%2fcreate",
        "/%2563ontainers/json",
        "//containers/json",
        "/./containers/json",
        "/x/../containers/json",
        "/v1.41//containers/json",
        "/..",
        "/containers/%2e%2e/containers/json",
        "/containers/..%2fcontainers/json",
        "/containers/.",
        "/containers/x%2f..%2fjson",
        "/containers//json",
        "/containers/json/",
        "/volumes/",
        "/networks%2F",
        "/networks//",
        "/x/networks/",
        "/libpod/networks/",
        "/containers/",
        "/containers/json;x=1",
        "/containers;a/json",
        "/containers/json%3Fall=1",
        "/containers/json%00",
        "/containers/json%0a",
        "/containers/json%0d%0aX:%20y",
        "/containers/json#frag",
        "/containers/json%23frag",
        "/containers\\json",
        "/containers%5cjson",
        "/containers/%zz/json",
        "/containers/%f",
        "/containers/%",
        "/containers/%ff/json",
        "/containers/%c3%a9/json",
        "/containers/%7f/json",
        "/containers/a%2fexport%3f/json",
        "/containers/a%252fb/json",
    ] {
        malformed(&format!("GET {path}"));
        malformed(&format!("DELETE {path}"));
    }
    for method in ["HEAD", "POST", "DELETE", "OPTIONS"] {
        malformed(&format!("{method} /networks/"));
        malformed(&format!("{method} /v1.41/networks/"));
    }
    for target in [
        "http://evil/containers/json",
        "HTTP://evil/containers/json",
        "https://evil/_ping",
        "ftp://x/_ping",
        "foo://x/_ping",
        "foo:containers/json",
        "*",
        "containers/json",
        "x:80",
        "http://evil",
        "?all=1",
        "@/_ping",
        "unix:/_ping",
    ] {
        malformed(&format!("GET {target}"));
        malformed(&format!("OPTIONS {target}"));
    }
}

#[test]
fn a_path_is_decoded_once_and_written_canonically() {
    arrives("GET /%63ontainers/json", "GET /containers/json");
    arrives("GET /containers/%6ason", "GET /containers/json");
    arrives("GET /_pin%67", "GET /_ping");
    arrives("GET /containers/json%20", "GET /containers/json%20");
    arrives("GET /containers/<\"`|^{}>/json", "GET /containers/%3C%22%60%7C%5E%7B%7D%3E/json");
    arrives("GET /containers/%22/json", "GET /containers/%22/json");
    arrives("GET /images/sha256%3Aabc/json", "GET /images/sha256:abc/json");
    arrives("GET /images/a%40b/json", "GET /images/a@b/json");
    arrives("GET /Containers/json", "GET /Containers/json");
    arrives("GET /containers/JSON", "GET /containers/JSON");
    arrives("GET /images/docker.io/library/x:1/json", "GET /images/docker.io/library/x:1/json");
    let long = format!("GET /containers/{}/json", "x".repeat(5000));
    arrives(&long, &long);
    arrives("GET /", "GET /");
}

/// docker-java, Testcontainers and Podman encode the slashes of an image's name.
#[test]
fn an_encoded_slash_in_the_name_of_an_image_is_a_slash() {
    for (sent, seen) in [
        ("GET /images/a%2Fb/json", "GET /images/a/b/json"),
        ("GET /v1.41/images/a%2fb%3A1/json", "GET /v1.41/images/a/b:1/json"),
        ("GET /images/docker.io%2Flibrary/x/history", "GET /images/docker.io/library/x/history"),
        ("GET /images/a%2Fb%40sha256%3Aff/get", "GET /images/a/b@sha256:ff/get"),
        ("POST /images/r.test%3A5000%2Fa%2Fb/push", "POST /images/r.test:5000/a/b/push"),
        ("POST /images/a%2Fb/tag?repo=x%2Fy", "POST /images/a/b/tag?repo=x%2Fy"),
        ("DELETE /images/a%2Fjson", "DELETE /images/a/json"),
        ("DELETE /images/a%2Fb%2Fc", "DELETE /images/a/b/c"),
        ("GET /images/a%2Fjson/json", "GET /images/a/json/json"),
        ("GET /distribution/a%2Fb/json", "GET /distribution/a/b/json"),
        ("GET /plugins/vieux%2Fsshfs%3Alatest/json", "GET /plugins/vieux/sshfs:latest/json"),
        ("DELETE /plugins/vieux%2Fsshfs", "DELETE /plugins/vieux/sshfs"),
        ("GET /v4.3.1/libpod/images/a%2Fb%3A1/json", "GET /v4.3.1/libpod/images/a/b:1/json"),
        ("GET /libpod/images/a%2Fb/exists", "GET /libpod/images/a/b/exists"),
        ("DELETE /libpod/images/a%2Fb", "DELETE /libpod/images/a/b"),
        ("POST /libpod/images/a%2Fb/push", "POST /libpod/images/a/b/push"),
        // What is one segment to Podman stays one: its client looks for a container of an image's name first.
        (
            "GET /v4.3.1/libpod/containers/localhost%2fa%2Fb%3A1/json",
            "GET /v4.3.1/libpod/containers/localhost%2Fa%2Fb:1/json",
        ),
        ("GET /libpod/pods/a%2Fb/exists", "GET /libpod/pods/a%2Fb/exists"),
    ] {
        arrives(sent, seen);
    }
    for line in [
        // Another route than the one without the slash.
        "GET /images%2Fjson",
        "GET /images/a%2Fjson",
        "GET /images/get%2Fjson",
        "GET /images%2Fa/json",
        "POST /images/a%2Fpush",
        "POST /images/create%2Fx",
        "GET /libpod/images/a%2Fjson",
        "GET /libpod/images%2Fa/json",
        "POST /libpod/images/scp%2Fa/tag",
        "POST /libpod/images%2Fscp/tag",
        // Empty and dot segments.
        "GET /images/%2Fa/json",
        "GET /images/a%2F/json",
        "GET /images/a%2F%2Fb/json",
        "GET /images/..%2F..%2Fcontainers/json",
        "GET /images/..%2Fcontainers%2Fjson",
        "GET /images/a%2F..%2Fb/json",
        "GET /images/a%2F.%2Fb/json",
        "GET /images/%2e%2e%2Fcontainers/json",
        "GET /images/a%252Fb/json",
        "GET /images/a%2Fb%00/json",
        "GET /images/a%2Fb%3F/json",
        "GET /images/a%2F%C3%A9/json",
        "GET /images/a%5Cb/json",
        // No route whose names hold slashes for everybody.
        "GET /containers/a%2Fb/json",
        "DELETE /containers/a%2Fb",
        "POST /containers%2Fcreate",
        "POST /v1.41/containers%2Fapp%2Fstart",
        "GET /networks/a%2Fb",
        "POST /networks/a%2Fconnect",
        "GET /volumes/a%2Fb",
        "GET /exec/a%2Fb/json",
        "GET /services/a%2Fb",
        "GET /libpod/containers/a%2Fjson",
        "GET /libpod/containers%2Fa/json",
        "GET /libpod/containers%2Fa%2Fb/json",
        "GET /libpod/containers/a%2F..%2Fb/json",
        "GET /libpod/containers/%2Fa/json",
        "GET /libpod/containers/a%2Fb/logs",
        "GET /libpod/containers/a%252Fb/json",
        "GET /libpod%2Fcontainers/a%2Fb/json",
        "POST /libpod/containers/a%2Fb/json",
        "DELETE /libpod/containers/a%2Fb",
        "GET /libpod/secrets/a%2Fb/json",
        "GET %2Fimages/a/json",
        "GET /v1.41%2Fimages/a/json",
        "PATCH /images/a%2Fb/json",
    ] {
        malformed(line);
    }
    // Patterns see the slash.
    denied("GET /images/[^/]+/json", "GET /images/a%2Fb/json", 403);
    denied("GET /libpod/containers/a/b/json", "GET /libpod/containers/a%2Fb/json", 403);
    let one = "GET /libpod/containers/[^/]+/json";
    assert_eq!(outcome(&[one], &get("GET /libpod/containers/a%2Fb/json", &[])).0, 404);
    let (status, _, lines) =
        outcome(&["GET /images/good/b/json"], &get("GET /images/good%2Fb/json", &[]));
    assert_eq!((status, lines), (404, vec!["GET /images/good/b/json".to_owned()]));
}

#[test]
fn networks_and_volumes_have_names_of_any_characters() {
    for (sent, seen) in [
        ("GET /networks/b%C3%BCcher", "GET /networks/b%C3%BCcher"),
        ("GET /networks/b\u{fc}cher", "GET /networks/b%C3%BCcher"),
        ("GET /v1.41/networks/a%3Bb%25c%3Fd%23e", "GET /v1.41/networks/a%3Bb%25c%3Fd%23e"),
        // As Go's clients send it.
        ("GET /networks/a;b", "GET /networks/a%3Bb"),
        ("GET /networks/100%25?verbose=1", "GET /networks/100%25?verbose=1"),
        ("GET /networks/a%2541", "GET /networks/a%2541"),
        ("GET /networks/a%3Fb?c=d", "GET /networks/a%3Fb?c=d"),
        ("DELETE /networks/%F0%9F%90%B3", "DELETE /networks/%F0%9F%90%B3"),
        ("GET /volumes/%e2%82%ac%3b", "GET /volumes/%E2%82%AC%3B"),
        ("DELETE /volumes/a%23b", "DELETE /volumes/a%23b"),
        ("GET /networks/", "GET /networks"),
        ("GET /v1.41/networks/", "GET /v1.41/networks"),
        ("GET /v1.41/networks/?filters=%7B%7D", "GET /v1.41/networks?filters=%7B%7D"),
    ] {
        arrives(sent, seen);
    }
    for line in ["POST /networks/b%C3%BC/connect", "POST /networks/b%C3%BC;/disconnect"] {
        let body = with_body(line, "application/json", r#"{"Container":"app"}"#);
        let (_, _, lines) = outcome(ALL, &body);
        assert_eq!(lines, [line.replace(';', "%3B")]);
    }
    for line in [
        "GET /networks/a%00b",
        "GET /networks/a%0Ab",
        "GET /networks/a%0D%0AX:%20y",
        "GET /networks/a%1Bb",
        "GET /networks/a%7Fb",
        "GET /networks/a%C2%85b",
        "GET /networks/a%FFb",
        "GET /networks/a%C3",
        "GET /networks/a%ED%A0%80",
        "GET /networks/a%C0%AF",
        "GET /networks/a%5Cb",
        "GET /networks/a\\b",
        "GET /networks/a#b",
        "GET /networks/%2E%2E",
        "GET /networks/%3B/..",
        // What somebody who decodes twice would read as another path.
        "GET /networks/a%252Fb",
        "GET /networks/%252e%252e",
        "GET /networks/a%253Fb",
        "GET /networks/a%2525",
        "GET /networks/a%2500",
        "GET /volumes/a%255cb",
        // Not in a name, or of something else.
        "GET /networks%3B/a",
        "GET /networks;x=1",
        "GET /volumes%C3%A9",
        "GET /v1.41;/networks/a",
        "GET /v1.41%3F/networks/a",
        "POST /networks/create%3F",
        "POST /networks/a%3Fb",
        "POST /volumes/create%23x",
        "PATCH /networks/b%C3%BC",
        "GET /containers/b%C3%BC/json",
        "GET /images/b%C3%BC/json",
        "GET /services/b%C3%BC",
        "GET /libpod/networks/b%C3%BC/json",
        "GET /x/networks/b%C3%BC",
    ] {
        malformed(line);
    }
    // Patterns see the name.
    for (rule, status) in [("GET /networks/a;b\\?ü", 404), ("GET /networks/a[^?]*", 403)] {
        let (got, _, lines) = outcome(&[rule], &get("GET /networks/a%3Bb%3F%C3%BC", &[]));
        assert_eq!((got, lines.is_empty()), (status, status == 403), "{rule}");
    }
    denied("GET /networks", "GET /networks/x", 403);
    assert_eq!(outcome(&["GET /networks"], &get("GET /networks/", &[])).0, 404);
}

#[test]
fn a_query_has_one_reading() {
    arrives("GET /events?", "GET /events");
    arrives("GET /containers/json?all=1", "GET /containers/json?all=1");
    arrives("GET /containers/json?a%6Cl=1&&", "GET /containers/json?all=1");
    arrives("GET /containers/json?x=a+b%2b", "GET /containers/json?x=a%20b%2B");
    malformed("GET /containers/json?All=1&all=0");
    malformed("GET /containers/json?All=1");
    arrives("GET /containers/app/archive?path=%2Fetc", "GET /containers/app/archive?path=%2Fetc");
    arrives("GET /containers/json?x=/?:@", "GET /containers/json?x=%2F%3F%3A%40");
    arrives("GET /images/get?names=a&names=b", "GET /images/get?names=a&names=b");
    arrives(
        r#"GET /events?filters={"type":["container"]}"#,
        "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D",
    );
    arrives("GET /containers/json?x=é<`>", "GET /containers/json?x=%C3%A9%3C%60%3E");
    for query in ["a=1;b=2", "a=%zz", "a=%", "a=%ff", "a=%00", "name=a&name=b", "name=a&n%61me=b"] {
        malformed(&format!("GET /containers/json?{query}"));
        malformed(&format!("POST /containers/app/rename?{query}"));
    }
    // Podman's own lists, on its own paths.
    arrives(
        "DELETE /v4.3.1/libpod/images/remove?images=a&images=b%2Fc",
        "DELETE /v4.3.1/libpod/images/remove?images=a&images=b%2Fc",
    );
    malformed("DELETE /images/remove?images=a&images=b");
    malformed("POST /libpod/containers/create?name=a&name=b");
    // No fragment to Go either.
    arrives("GET /containers/json?x=1#b", "GET /containers/json?x=1%23b");
}

#[test]
fn a_build_has_one_dockerfile_the_first_one() {
    // docker-py names a Dockerfile from outside the context and sends its content behind it.
    for second in ["FROM%20busybox%0ARUN%20id", "", "FROM%20a&dockerfile=b", "x&d%6Fckerfile=y"] {
        arrives(
            &format!("POST /v1.41/build?dockerfile=.dockerfile.0a&t=x&dockerfile={second}&q=1"),
            "POST /v1.41/build?dockerfile=.dockerfile.0a&t=x&q=1",
        );
    }
    // Not what cannot be read, nothing else, and nowhere else.
    for line in [
        "POST /build?dockerfile=a&dockerfile=%zz",
        "POST /build?dockerfile=a&dockerfile=%ff",
        "POST /build?dockerfile=a&dockerfile=b;c",
        "POST /build?remote=&remote=http://10.0.0.1/",
        "POST /build?networkmode=none&networkmode=host",
        "POST /build?buildargs={}&buildargs={}",
        "POST /build/prune?dockerfile=a&dockerfile=b",
        "GET /build?dockerfile=a&dockerfile=b",
        "POST /libpod/build?dockerfile=a&dockerfile=b",
    ] {
        malformed(line);
    }
}

#[test]
fn a_list_of_parameters_is_long_and_not_endless() {
    let names = |count: usize| "&names=image".repeat(count);
    let hundreds = names(300).split_off(1);
    arrives(&format!("GET /images/get?{hundreds}"), &format!("GET /images/get?{hundreds}"));
    malformed(&format!("GET /images/get?x=1{}", names(512)));
    malformed(&format!("GET /images/get?name=a{}&name=b", names(300)));
}

#[test]
fn podman_s_own_client_sends_lists_of_names() {
    const LIBPOD: &[&str] = &["GET /v[0-9.]+/libpod/.*", "DELETE /v[0-9.]+/libpod/.*"];
    for line in [
        "GET /v4.3.1/libpod/images/export?references=a&references=b",
        "DELETE /v4.3.1/libpod/images/remove?images=a&images=b",
        "GET /v4.3.1/libpod/containers/stats?containers=a&containers=b",
        "GET /v4.3.1/libpod/pods/stats?namesOrIDs=a&namesOrIDs=b",
    ] {
        assert_eq!(outcome(LIBPOD, &get(line, &[])).2, [line]);
    }
    malformed("GET /images/json?references=a&references=b");
    malformed("POST /v4.3.1/libpod/containers/a/rename?name=a&name=b");
}

#[test]
fn methods_are_the_nine_in_capitals() {
    for method in ["get", "Get", "PRI", "PROPFIND", "COPY", "GETS", "QUERY", "GE-T"] {
        let got = outcome(ALL, &get(&format!("{method} /_ping"), &[]));
        assert_eq!(got, (405, true, Vec::new()), "{method}");
    }
    // What no rule is for is refused, whatever the path is allowed for.
    for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS"] {
        denied("GET .*", &format!("{method} /containers/json"), 405);
    }
    denied("HEAD .*", "GET /containers/json", 405);
    arrives("HEAD /containers/app/archive", "HEAD /containers/app/archive");
    arrives("OPTIONS /anything", "OPTIONS /anything");
}

#[test]
fn a_pattern_is_the_whole_path_and_never_the_query() {
    let list = "GET ^/containers/json$";
    denied(list, "GET /v1.41/containers/json", 403);
    denied(list, "GET /containers/json/x", 403);
    denied(list, "GET /x/containers/json", 403);
    denied(list, "GET /containers/app/json?x=/containers/json", 403);
    denied(list, "GET /Containers/json", 403);
    denied("GET /containers/json|/info", "GET /info/x", 403);
    denied("GET /containers/json|/info", "GET /x/info", 403);
    denied("GET /containers", "GET /containers/json", 403);
    denied(r"GET /containers/[^/]+/json", "GET /containers/json", 403);
    denied("GET /containers/json.*all.*", "GET /containers/json?all=1", 403);
    let (status, _, lines) = outcome(&[list], &get("GET /containers/json?all=1", &[]));
    assert_eq!((status, lines.as_slice()), (200, &["GET /containers/json?all=1".to_owned()][..]));
}

#[test]
fn a_ping_is_open_to_listed_clients_however_little_is_allowed() {
    for line in ["GET /_ping", "HEAD /_ping", "GET /v1.41/_ping", "HEAD /v1.51/_ping"] {
        assert_eq!(outcome(&[], &get(line, &[])), (200, false, vec![line.to_owned()]), "{line}");
    }
    denied("GET /info", "POST /_ping", 405);
    denied("GET /info", "OPTIONS /_ping", 405);
    denied("GET /info", "GET /_ping/x", 403);
    denied("GET /info", "GET /_pin", 403);
    let with_a_body = with_body("GET /_ping", "application/json", "{}");
    assert_eq!(outcome(&["GET /info"], &with_a_body), (403, true, Vec::new()));
}

/// A01 to A09 of the acceptance cases, with the patterns that people really write.
#[test]
fn routing_tricks_do_not_pass_common_patterns() {
    let create = r"POST ^(/v[\d.]+)?/containers/create$";
    for path in [
        "/v1.41./containers/create",
        "/v1.41..0/containers/create",
        "/v01.41/containers/create",
        "/containers%2Fcreate",
    ] {
        let body = r#"{"Image":"allowed:1","HostConfig":{"Binds":["/:/h"]}}"#;
        let request = with_body(&format!("POST {path}"), "application/json", body);
        assert_eq!(outcome(&[create], &request), (400, true, Vec::new()), "{path}");
    }
    for path in ["/v1%2e41/containers/create", "/%761.41/containers/create"] {
        let request = with_body(&format!("POST {path}"), "application/json", "{}");
        let want = (201, false, vec!["POST /v1.41/containers/create".to_owned()]);
        assert_eq!(outcome(&[create], &request), want, "{path}");
    }
    denied(r"GET ^/v1\.41/info$", "GET /V1.41/info", 403);
    denied("GET .*", "HEAD /containers/json", 405);
    // Traefik's rule: reading passes, writing does not.
    let traefik = r"GET /v1\..{1,2}/(version|containers/.*|events.*)";
    denied(traefik, "POST /v1.41/containers/create", 405);
    denied(traefik, "GET /v1.41/info", 403);
    for line in ["GET /v1.24/version", "GET /v1.41/containers/json?all=1", "GET /v1.51/events"] {
        let (status, _, lines) = outcome(&[traefik], &get(line, &[]));
        assert_eq!((status, lines), (200, vec![line.to_owned()]), "{line}");
    }
}

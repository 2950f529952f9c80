//! Bodies: the engine gets one where the operation reads one, under the content type that says so, and nowhere else.

use std::time::Duration;

use crate::fake_engine::Request;
use crate::support::{Answer, Setup, get, run, with_body};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const RENAME: &str = "POST /containers/app/rename?name=app-1";

/// The answer, and the one request that reached the engine, if one did.
fn outcome(request: &str) -> (Answer, Option<Request>) {
    run(async {
        let stage = Setup::allowing_all().start().await;
        let mut client = stage.client().await;
        client.send(request).await;
        let answer = client.answer_to(request).await;
        if answer.closes() {
            client.ends().await;
        }
        let reached = stage.reached().await;
        let mut requests: Vec<_> = reached.into_iter().flat_map(|it| it.requests).collect();
        assert!(requests.len() < 2, "{requests:?}");
        (answer, requests.pop())
    })
}

/// Refused before the engine hears of it, and the connection with it, since nobody reads the body.
#[track_caller]
fn refused(line: &str, content_type: &str, body: &str) {
    let (answer, reached) = outcome(&with_body(line, content_type, body));
    assert!(reached.is_none(), "{line} as {content_type} reached the engine: {reached:?}");
    assert_eq!((answer.status, answer.closes()), (400, true), "{line} as {content_type}");
    assert!(answer.message().contains(line.split('?').next().unwrap()), "{}", answer.message());
}

/// The engine gets this body under this content type; `None` for neither.
#[track_caller]
fn arrives(line: &str, content_type: &str, body: &str, want: Option<&str>) {
    let (answer, reached) = outcome(&with_body(line, content_type, body));
    let reached = reached.unwrap_or_else(|| panic!("{line} was refused: {}", answer.text()));
    assert!(reached.complete, "{reached:?}");
    assert_eq!(reached.field("Content-Type"), want, "{line} as {content_type}");
    let want_body = if want.is_some() { body } else { "" };
    assert_eq!(String::from_utf8_lossy(&reached.body), want_body, "{line} as {content_type}");
    assert_eq!(reached.field("Transfer-Encoding"), None);
    assert_ne!(answer.status, 400);
}

/// A14, A15 and facts 1.5: a form would override the query that was judged.
#[test]
fn forms_never_reach_the_engine() {
    for line in [
        RENAME,
        "POST /images/create?fromImage=good",
        "POST /containers/app/kill",
        "POST /build",
        "POST /containers/app/stop",
        "POST /containers/app/wait",
        "POST /containers/app/resize",
        "POST /containers/app/attach",
        "POST /containers/prune",
        "POST /images/x/push",
        "POST /images/x/tag",
        "POST /swarm/leave",
        "POST /services/x/update?version=1",
        "POST /build/cancel",
        "POST /containers/create",
        "PUT /containers/app/archive",
        "POST /exec/e1/start",
        "POST /session",
        "POST /not/known",
        "PATCH /not/known",
        "PUT /volumes/x",
        "DELETE /containers/app",
        "GET /containers/json",
    ] {
        for content_type in [
            FORM,
            "Application/X-WWW-Form-URLEncoded",
            "application/x-www-form-urlencoded; a=b",
            "multipart/form-data; boundary=x",
            "multipart/mixed; boundary=x",
            "application/x-www-form-urlencoded,application/json",
            " application/x-www-form-urlencoded ;",
        ] {
            refused(line, content_type, "name=proxy&fromImage=evil");
        }
    }
}

/// A16: the handler buffers 4,096 bytes before it reads the form behind them.
#[test]
fn a_build_takes_no_form_however_it_is_padded() {
    let pad = "x".repeat(4094);
    let urlencoded = format!("a={pad}&remote=http://127.0.0.1/x&networkmode=host");
    refused("POST /build", FORM, &urlencoded);
    let multipart = format!(
        "{pad}\r\n--x\r\nContent-Disposition: form-data; name=\"remote\"\r\n\r\nhttp://127.0.0.1/x\r\n--x--\r\n"
    );
    refused("POST /build", "multipart/form-data; boundary=x", &multipart);
    // Under a tar's type the daemon reads no form in it.
    arrives("POST /build", "application/x-tar", &urlencoded, Some("application/x-tar"));
}

/// A request with a body of two bytes under several content types.
fn with_types(line: &str, types: &[&str]) -> String {
    let mut fields: Vec<_> = types.iter().map(|it| format!("Content-Type: {it}")).collect();
    fields.push("Content-Length: 2".to_owned());
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    get(line, &fields) + "{}"
}

/// bollard sends its tar under two. A known operation gets its own type; a form among them is refused all the same.
#[test]
fn two_content_types_are_one_where_neither_is_a_form() {
    const TAR: &str = "application/x-tar";
    let create = "POST /containers/create";
    for (line, want) in [
        (create, JSON),
        ("POST /images/load", TAR),
        ("POST /build", TAR),
        ("PUT /containers/app/archive?path=x", TAR),
    ] {
        for types in [&[TAR, JSON][..], &[JSON, TAR], &[JSON, JSON], &["text/plain", "", JSON]] {
            let (_, reached) = outcome(&with_types(line, types));
            let reached = reached.unwrap_or_else(|| panic!("{line} as {types:?}"));
            assert_eq!(reached.all("Content-Type"), [want], "{line} as {types:?}");
            assert_eq!(reached.body, b"{}");
        }
        for types in [
            &[JSON, FORM][..],
            &[FORM, JSON],
            &[TAR, JSON, "multipart/mixed; boundary=x"],
            &["application/json, multipart/form-data", TAR],
            &[TAR, "x-www-FORM-urlencoded"],
            &[JSON, "application/x-www-f\u{f6}rm"],
        ] {
            let (answer, reached) = outcome(&with_types(line, types));
            assert_eq!((answer.status, reached.is_some()), (400, false), "{line} as {types:?}");
        }
    }
    // What is thrown away has to be JSON, and what an unknown operation makes of two types nobody knows.
    let (_, reached) = outcome(&with_types(RENAME, &[JSON, JSON]));
    assert_eq!(reached.unwrap().field("Content-Type"), None);
    for (line, types) in [
        (RENAME, [TAR, JSON]),
        ("POST /not/known", [JSON, JSON]),
        ("POST /libpod/build", [TAR, TAR]),
    ] {
        let (answer, reached) = outcome(&with_types(line, &types));
        assert_eq!((answer.status, reached.is_some()), (400, false), "{line} as {types:?}");
    }
}

/// Podman's own client sends JSON and tar without a type, in which Go reads no form. Nobody else's unknown body passes like that.
#[test]
fn a_body_without_a_type_passes_to_podmans_own_api() {
    for line in [
        "POST /libpod/containers/create",
        "POST /v4.3.1/libpod/containers/create",
        "PUT /v5.0.0/libpod/containers/app/archive?path=x",
        "POST /v4.3.1/libpod/exec/e1/start",
    ] {
        let (_, reached) = outcome(&with_types(line, &[]));
        let reached = reached.unwrap_or_else(|| panic!("{line}"));
        assert_eq!(
            (reached.field("Content-Type"), &reached.body[..]),
            (None, &b"{}"[..]),
            "{line}"
        );
    }
    for (line, types) in [
        ("POST /not/known", &[][..]),
        ("POST /x/libpod/containers/create", &[]),
        ("POST /libpodx/containers/create", &[]),
        ("POST /libpod/containers/create", &[""]),
        ("POST /libpod/containers/create", &["text/plain"]),
        ("POST /libpod/containers/create", &[FORM]),
    ] {
        let (answer, reached) = outcome(&with_types(line, types));
        assert_eq!((answer.status, reached.is_some()), (400, false), "{line} as {types:?}");
    }
}

/// Some clients send an empty body in chunks with whatever they ask.
#[test]
fn an_empty_chunked_body_is_none() {
    let chunked = |line: &str, fields: &[&str], behind: &str| {
        let fields = [fields, &["Transfer-Encoding: chunked"]].concat();
        outcome(&(get(line, &fields) + behind))
    };
    let lines = [
        RENAME,
        "POST /containers/app/stop",
        "POST /containers/app/restart",
        "POST /containers/app/kill",
        "POST /containers/app/pause",
        "POST /containers/app/unpause",
        "POST /containers/app/start",
        "POST /containers/app/wait",
        "POST /images/a/b/tag?repo=x",
        "DELETE /containers/app",
        "GET /info",
        "GET /_ping",
        "HEAD /_ping",
        "POST /commit?container=app",
        "POST /exec/detached/start",
    ];
    for line in lines {
        for fields in [&[][..], &["Content-Type: text/plain"], &["Content-Type: application/x-tar"]]
        {
            let (answer, reached) = chunked(line, fields, "0\r\n\r\n");
            let reached = reached.unwrap_or_else(|| panic!("{line}: {}", answer.text()));
            assert!(reached.body.is_empty(), "{line}");
            assert_eq!(reached.field("Transfer-Encoding"), None, "{line}");
            assert_eq!(reached.field("Content-Length"), None, "{line}");
        }
    }
    for behind in [
        "1\r\na\r\n0\r\n\r\n",
        "0;x=1\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
        "00\r\n\r\n",
        "0 \r\n\r\n",
        "0\n\n",
        "x",
    ] {
        for line in ["POST /containers/app/stop", RENAME, "GET /_ping"] {
            let (answer, reached) = chunked(line, &[], behind);
            assert_eq!((answer.status, reached.is_some()), (400, false), "{line} {behind:?}");
        }
    }
    let form = format!("Content-Type: {FORM}");
    let (answer, reached) = chunked(RENAME, &[&form], "0\r\n\r\n");
    assert_eq!((answer.status, reached.is_some()), (400, false));
    let (answer, _) =
        chunked("POST /containers/create", &["Content-Type: application/json"], "0\r\n\r\n");
    assert!(answer.status == 400 && answer.message().contains("missing"), "{answer:?}");
}

/// The next request on the connection is where it begins, and nobody waits for the end of a body for ever.
#[test]
fn an_empty_chunked_body_ends_where_it_ends() {
    run(async {
        let stage = Setup::allowing(&["POST .*", "GET /info"])
            .with(|config| config.limits.inspected_body_timeout = Duration::from_millis(200))
            .start()
            .await;
        let mut client = stage.client().await;
        let stop = get("POST /containers/app/stop", &["Transfer-Encoding: chunked"]);
        client.send(format!("{stop}0\r\n\r\n{}", get("GET /info", &[]))).await;
        assert_eq!(client.answer().await.status, 204);
        assert_eq!(client.answer().await.status, 200);
        // In pieces, and behind a client that waits for a word.
        let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
        client.send(get("POST /containers/app/stop", &fields)).await;
        assert_eq!(client.answer().await.status, 100);
        for piece in ["0", "\r", "\n\r", "\n"] {
            client.send(piece).await;
        }
        assert_eq!(client.answer().await.status, 204);
        for begun in ["", "0", "0\r\n"] {
            let mut slow = stage.client().await;
            slow.send(stop.clone() + begun).await;
            let answer = slow.answer().await;
            assert_eq!((answer.status, answer.closes()), (408, true), "{begun:?}");
            slow.ends().await;
        }
        let reached = stage.reached().await;
        assert_eq!(reached.iter().map(|it| it.requests.len()).sum::<usize>(), 3);
    });
}

#[test]
fn a_body_is_only_for_operations_that_read_one() {
    for content_type in ["text/plain", "application/x-tar", "application/octet-stream", ""] {
        for line in [RENAME, "POST /containers/app/kill", "GET /info", "DELETE /containers/app"] {
            refused(line, content_type, "name=proxy");
        }
    }
    // aiodocker and dockerode send `{}` everywhere; it is read and thrown away.
    for line in [
        RENAME,
        "POST /containers/app/kill?signal=TERM",
        "POST /containers/app/start",
        "POST /containers/app/stop",
        "GET /containers/json",
        "DELETE /containers/app",
    ] {
        for body in ["{}", "null", r#"{"name":"proxy"}"#] {
            arrives(line, JSON, body, None);
            arrives(line, "application/json; charset=utf-8", body, None);
        }
    }
}

#[test]
fn the_content_type_follows_from_the_operation() {
    let create = "POST /containers/create";
    for content_type in [JSON, "application/json;charset=utf-8", "text/plain", "text/json", ""] {
        arrives(create, content_type, r#"{"Image":"x"}"#, Some(JSON));
    }
    for line in ["POST /build", "POST /images/load", "PUT /containers/app/archive?path=%2F"] {
        for content_type in ["application/x-tar", "application/tar", "text/plain", JSON, ""] {
            arrives(line, content_type, "tar", Some("application/x-tar"));
        }
    }
    arrives("POST /libpod/containers/create", JSON, "{}", Some(JSON));
    refused("POST /libpod/containers/create", "text/plain", "{}");
}

#[test]
fn a_content_type_without_a_body_travels_only_where_json_is_read() {
    let field = |line: &str, value: &str| {
        let request = get(line, &[&format!("Content-Type: {value}")]);
        outcome(&request).1.unwrap().field("Content-Type").map(str::to_owned)
    };
    assert_eq!(field("POST /exec/detached/start", JSON).as_deref(), Some(JSON));
    assert_eq!(field("POST /exec/detached/start", FORM), None);
    assert_eq!(field("POST /containers/other/attach", "text/plain"), None);
    assert_eq!(field("POST /containers/app/kill", JSON), None);
    assert_eq!(field("POST /containers/app/kill", FORM), None);
}

#[test]
fn a_chunked_body_is_judged_as_one_with_a_length_is() {
    let chunked = |line: &str, content_type: &str, body: &str| {
        let fields = [&format!("Content-Type: {content_type}"), "Transfer-Encoding: chunked"];
        let head = get(line, &fields.map(|it| it as &str));
        outcome(&format!("{head}{:x};ext=1\r\n{body}\r\n0\r\nX-Trailer: 1\r\n\r\n", body.len()))
    };
    let (answer, reached) = chunked(RENAME, FORM, "name=proxy");
    assert_eq!((answer.status, reached.is_some()), (400, false));
    let (answer, reached) = chunked(RENAME, JSON, "{}");
    let reached = reached.unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!((reached.field("Transfer-Encoding"), &reached.body[..]), (None, &b""[..]));
    let (answer, reached) = chunked("POST /containers/create", JSON, "{}");
    let reached = reached.unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!((reached.field("Transfer-Encoding"), &reached.body[..]), (None, &b"{}"[..]));
    assert_eq!(reached.field("X-Trailer"), None);
}

#[test]
fn too_much_of_a_body_that_nobody_reads_is_refused() {
    let body = format!("\"{}\"", "x".repeat(128 * 1024));
    let (answer, reached) = outcome(&with_body(RENAME, JSON, &body));
    assert_eq!((answer.status, reached.is_some()), (400, false), "{}", answer.text());
}

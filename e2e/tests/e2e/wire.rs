//! What client libraries put on the wire in other ways than the docker CLI: the engine has to answer it through the proxy as it does
//! directly.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use sockwarden_e2e::engine::{Engine, Names, percent_encode};
use sockwarden_e2e::http::{self, Answer};
use sockwarden_e2e::proxy::Sockwarden;
use sockwarden_e2e::{Target, directly, engine_or_skip, wait};

/// The engine, or the proxy in front of it.
struct Door {
    engine: &'static Engine,
    proxy: Option<Sockwarden>,
}

impl Door {
    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = match &self.proxy {
            Some(proxy) => http::over_tcp(proxy.address(), method, target, fields, body),
            None => http::over_unix(self.engine.socket(), method, target, fields, body),
        };
        answer.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.ask("POST", target, &[("Content-Type", "application/json")], body.as_bytes())
    }

    /// Sends exactly these bytes; gives out the status of the answer.
    fn raw(&self, bytes: &str) -> u16 {
        match &self.proxy {
            Some(proxy) => {
                let mut stream = TcpStream::connect(proxy.address()).unwrap();
                stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
                stream.write_all(bytes.as_bytes()).unwrap();
                http::read_head(&mut BufReader::new(stream)).unwrap().0
            }
            None => {
                let mut stream = UnixStream::connect(self.engine.socket()).unwrap();
                stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
                stream.write_all(bytes.as_bytes()).unwrap();
                http::read_head(&mut BufReader::new(stream)).unwrap().0
            }
        }
    }
}

/// Runs a scenario directly and through the proxy.
fn everywhere(scenario: impl Fn(&Door, &Names)) {
    let engine = engine_or_skip!();
    for target in Target::under_test() {
        let run = |proxy| scenario(&Door { engine, proxy }, &Names::new(engine));
        match target {
            Target::Through => run(Some(Sockwarden::allow_all(engine.socket()))),
            Target::Direct if directly(engine, || run(None)).is_none() => return,
            Target::Direct => {}
        }
    }
}

fn labels(names: &Names) -> Value {
    names.labels().into_iter().map(|(key, value)| (key, Value::String(value))).collect()
}

fn sleeper(door: &Door, names: &Names, word: &str, env: &Value) -> String {
    let image = door.engine.image();
    let name = names.name(word);
    let body = json!({ "Image": image.name(), "Cmd": ["sleep", "60"], "Env": env, "Labels": labels(names) });
    let created = door.post(&format!("/v1.41/containers/create?name={name}"), &body);
    assert_eq!(created.status, 201, "{}", created.message());
    name
}

/// docker-java encodes the slashes of an image's name.
#[test]
fn slashes_of_images_may_be_encoded() {
    everywhere(|door, names| {
        let image = door.engine.image();
        let name = names.image_in_a_repository("word");
        let (repository, tag) = name.split_once(':').unwrap();
        let target =
            format!("/images/{}/tag?repo={}&tag={tag}", image.name(), percent_encode(repository));
        assert_eq!(door.ask("POST", &target, &[], b"").status, 201);
        let encoded = percent_encode(&name);
        assert!(encoded.contains("%2F"));
        for target in [format!("/images/{encoded}/json"), format!("/v1.41/images/{encoded}/json")] {
            let answer = door.ask("GET", &target, &[], b"");
            assert_eq!(answer.status, 200, "{target}: {}", answer.message());
            assert!(answer.json()["RepoTags"].as_array().unwrap().contains(&json!(name)));
        }
        assert_eq!(door.ask("GET", &format!("/images/{encoded}/history"), &[], b"").status, 200);
        assert_eq!(door.ask("DELETE", &format!("/images/{encoded}"), &[], b"").status, 200);
    });
}

#[test]
fn networks_have_names_of_any_characters() {
    everywhere(|door, names| {
        let name = names.name("bücher;a%b?c#d");
        let body = json!({ "Name": name, "Labels": labels(names) });
        let created = door.post("/v1.41/networks/create", &body);
        assert_eq!(created.status, 201, "{}", created.message());
        let target = format!("/networks/{}", percent_encode(&name));
        let inspect = door.ask("GET", &target, &[], b"");
        assert_eq!((inspect.status, &inspect.json()["Name"]), (200, &json!(name)));
        let container = sleeper(door, names, "member", &json!([]));
        let member = json!({ "Container": container });
        assert_eq!(door.post(&format!("{target}/connect"), &member).status, 200);
        assert_eq!(door.post(&format!("{target}/disconnect"), &member).status, 200);
        assert_eq!(door.ask("DELETE", &target, &[], b"").status, 204);
        // The list has two paths.
        for target in ["/networks/", "/v1.41/networks/", "/v1.41/networks"] {
            let list = door.ask("GET", target, &[], b"");
            assert!(list.status == 200 && list.json().is_array(), "{target}");
        }
    });
}

/// bollard's two content types, and the empty chunks that others send with whatever they ask.
#[test]
fn bodies_are_announced_in_odd_ways() {
    everywhere(|door, names| {
        let image = door.engine.image();
        let get = format!("/images/{}/get", image.name());
        let saved = door.ask("GET", &format!("/v1.41{get}"), &[], b"");
        assert_eq!(saved.status, 200);
        let two = [("Content-Type", "application/x-tar"), ("Content-Type", "application/json")];
        // skopeo asks under an API version that old, which newer engines refuse.
        let old = if door.engine.oldest_api() <= 22 { 200 } else { 400 };
        for (version, status) in [("v1.41", 200), ("v1.22", old)] {
            // Who refuses does not wait for the end of a body.
            let body = if status == 200 { &*saved.body } else { b"" };
            let loaded = door.ask("POST", &format!("/{version}/images/load"), &two, body);
            let got = door.ask("GET", &format!("/{version}{get}"), &[], b"");
            assert_eq!((loaded.status, got.status), (status, status), "{version}");
        }
        assert_eq!(door.ask("GET", "/v1.22/_ping", &[], b"").status, old);
        let name = sleeper(door, names, "chunks", &json!([]));
        let container = format!("/v1.41/containers/{name}");
        // The engine itself takes an unknown length of a start for a body; through the proxy there is none.
        assert_eq!(door.ask("POST", &format!("{container}/start"), &[], b"").status, 204);
        for verb in ["pause", "unpause", "restart?t=0", "kill", "stop?t=0"] {
            let status = door.raw(&format!(
                "POST {container}/{verb} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ));
            // The last one stops what was killed.
            assert!(matches!(status, 204 | 304), "{verb}: {status}");
        }
    });
}

/// A Python client sends half of a surrogate pair for a byte that is no UTF-8.
#[test]
fn variables_that_are_no_text_arrive_alike() {
    everywhere(|door, names| {
        let image = door.engine.image();
        let name = names.name("surrogate");
        let body = json!({ "Image": image.name(), "Env": ["WORD=caf@"], "Labels": labels(names) });
        let body = body.to_string().replace('@', "\\udce9\\ud800x");
        let json = [("Content-Type", "application/json")];
        let target = format!("/v1.41/containers/create?name={name}");
        assert_eq!(door.ask("POST", &target, &json, body.as_bytes()).status, 201);
        let inspect = door.ask("GET", &format!("/containers/{name}/json"), &[], b"").json();
        let env = inspect["Config"]["Env"].as_array().unwrap();
        assert!(env.contains(&json!("WORD=caf\u{fffd}\u{fffd}x")), "{env:?}");
    });
}

/// Go's TLS says "server gave HTTP response to HTTPS client" to such an answer, which is what the docker CLI shows.
#[test]
fn tls_is_answered_at_once() {
    let engine = engine_or_skip!();
    let proxy = Sockwarden::allow_all(engine.socket());
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("DOCKER_TLS_VERIFY"),
        "{answer}"
    );
    proxy.expect_log("began with TLS");
}

//! A stand-in for the Docker Engine, for `./quickstart` where there is none: `fake_engine SOCKET` answers what the quickstart asks, with
//! made-up containers, and 404 for the rest. It needs nothing but std, so `rustc` alone builds it in a second. No test uses it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

fn main() -> io::Result<()> {
    let path = std::env::args_os().nth(1).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "say where to listen: fake_engine SOCKET")
    })?;
    let _ = fs::remove_file(&path);
    for stream in UnixListener::bind(&path)?.incoming() {
        let stream = stream?;
        // A client that breaks off ends its own thread only.
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(stream: UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = Request::read(&mut reader)? {
        let path = request.path_without_version();
        if path == "/events" {
            return stream_events(&mut reader, &mut writer);
        }
        let (status, body) = answer(&request.method, path);
        let length = body.len();
        let kind = if path == "/_ping" { "text/plain; charset=utf-8" } else { "application/json" };
        let body = if request.method == "HEAD" { "" } else { &body };
        write!(
            writer,
            "HTTP/1.1 {status}\r\nApi-Version: {API}\r\nServer: Fake/{VERSION}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
    }
    Ok(())
}

const VERSION: &str = "0.0.0-fake";
const API: &str = "1.51";
const WEB: &str = "c0ffee0000000000000000000000000000000000000000000000000000000001";
const DATABASE: &str = "c0ffee0000000000000000000000000000000000000000000000000000000002";

fn answer(method: &str, path: &str) -> (&'static str, String) {
    match (method, path) {
        ("GET" | "HEAD", "/_ping") => ("200 OK", "OK".to_owned()),
        ("GET", "/version") => (
            "200 OK",
            format!(r#"{{"Version":"{VERSION}","ApiVersion":"{API}","MinAPIVersion":"1.24"}}"#),
        ),
        ("GET", "/containers/json") => {
            ("200 OK", format!("[{},{}]", container(WEB, "web"), container(DATABASE, "database")))
        }
        ("GET", "/containers/web/json") => ("200 OK", container(WEB, "web")),
        ("GET", "/containers/database/json") => ("200 OK", container(DATABASE, "database")),
        _ => ("404 Not Found", r#"{"message":"page not found"}"#.to_owned()),
    }
}

fn container(id: &str, name: &str) -> String {
    format!(r#"{{"Id":"{id}","Names":["/{name}"],"Image":"example/{name}","State":"running"}}"#)
}

/// Sends one event, then stays silent until the client goes.
fn stream_events(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<()> {
    let event = format!("{{\"Type\":\"container\",\"Action\":\"start\",\"id\":\"{WEB}\"}}\n");
    write!(
        writer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n",
        event.len()
    )?;
    io::copy(reader, &mut io::sink()).map(|_| ())
}

struct Request {
    method: String,
    target: String,
}

impl Request {
    /// The next request, its body read and forgotten; `None` when the client has no more.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut length = 0;
        loop {
            let mut field = String::new();
            reader.read_line(&mut field)?;
            match field.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                Some(_) => {}
                None => break,
            }
        }
        io::copy(&mut reader.take(length), &mut io::sink())?;
        Ok(Some(Self { method, target }))
    }

    /// `/v1.51/version?x=1` is `/version`.
    fn path_without_version(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
            Some((minor, _)) => path.get("/v1.".len() + minor.len()..).unwrap_or(path),
            None => path,
        }
    }
}

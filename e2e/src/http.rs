//! A raw HTTP client: one request, one connection, nothing that a library would smooth over.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::wait;

/// An answer, with its body decoded.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The `message` that the Engine and sockwarden put into an error.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request over TCP and reads the whole answer.
///
/// # Errors
/// When the connection fails or the answer is no HTTP.
pub fn over_tcp(
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, wait::DEADLINE)?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    exchange(stream, method, target, fields, body)
}

/// Sends a request over a Unix socket and reads the whole answer.
///
/// # Errors
/// When the connection fails or the answer is no HTTP.
pub fn over_unix(
    socket: &Path,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    exchange(stream, method, target, fields, body)
}

/// The request head, without a body's framing.
pub fn head(method: &str, target: &str, fields: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: engine\r\n");
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let length = body.len().to_string();
    let mut fields = fields.to_vec();
    fields.push(("Connection", "close"));
    if !body.is_empty() {
        fields.push(("Content-Length", &length));
    }
    // In one piece: whoever answers without reading the body may have closed before a second one.
    stream.write_all(&[head(method, target, &fields).as_bytes(), body].concat())?;
    let mut reader = BufReader::new(stream);
    let (status, fields) = read_head(&mut reader)?;
    let mut answer = Answer { status, fields, body: Vec::new() };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(answer);
    }
    if answer.field("transfer-encoding").is_some() {
        while let Some(mut chunk) = read_chunk(&mut reader)? {
            answer.body.append(&mut chunk);
        }
    } else if let Some(length) = answer.field("content-length").map(str::parse) {
        answer.body = vec![0; length.map_err(io::Error::other)?];
        reader.read_exact(&mut answer.body)?;
    } else {
        reader.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

/// Reads an answer's head.
///
/// # Errors
/// When the connection fails or the head is no HTTP.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let first = read_line(reader)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status line: {first:?}")))?;
    Ok((status, read_fields(reader)?))
}

/// Reads the fields of a head up to its empty line, names in lower case.
///
/// # Errors
/// When the connection fails.
pub fn read_fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(fields);
        }
        if let Some((name, value)) = line.split_once(':') {
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

/// Reads one chunk; `None` is the last.
///
/// # Errors
/// When the connection fails or the framing is broken.
pub fn read_chunk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let line = read_line(reader)?;
    let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
        .map_err(io::Error::other)?;
    let mut chunk = vec![0; length];
    reader.read_exact(&mut chunk)?;
    read_line(reader)?;
    Ok((length > 0).then_some(chunk))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

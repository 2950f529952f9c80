//! `sockwarden request METHOD PATH`: one request to a proxy (or an engine), to try an allowlist by hand and from images without a shell.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::{asks_for_help, complain, exit, misused, print_out, small_runtime};
use crate::config;

const DEFAULT_HOST: &str = "tcp://127.0.0.1:2375";

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    host: Host,
    method: String,
    path: String,
    data: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Tcp(String),
    Unix(PathBuf),
}

pub(super) fn run(
    args: &[OsString],
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<u8> {
    if is_help(args) {
        return print_out(&config::help_of("request"));
    }
    let docker_host = env
        .into_iter()
        .find(|(name, _)| name == "DOCKER_HOST")
        .and_then(|(_, value)| value.into_string().ok());
    match parse(args, docker_host.filter(|host| !host.is_empty())) {
        Ok(asked) => small_runtime()?.block_on(ask(asked)),
        Err(what) => Ok(misused(&what, &config::help_of("request"))),
    }
}

/// Whether help is asked for; what follows `-host` or `-data` is a value.
fn is_help(args: &[OsString]) -> bool {
    let takes_value =
        |arg: &OsString| ["-host", "--host", "-data", "--data"].iter().any(|flag| arg == flag);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if takes_value(arg) {
            args.next();
        } else if asks_for_help(std::slice::from_ref(arg)) {
            return true;
        }
    }
    false
}

fn parse(args: &[OsString], docker_host: Option<String>) -> Result<Asked, String> {
    let mut host = docker_host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let mut data = None;
    let mut words = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let arg = arg.to_str().ok_or_else(|| format!("`{}` is not UTF-8", arg.display()))?;
        let Some(flag) = arg.strip_prefix('-').map(|flag| flag.strip_prefix('-').unwrap_or(flag))
        else {
            words.push(arg.to_owned());
            continue;
        };
        let (name, value) = flag
            .split_once('=')
            .map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
        let mut value = || {
            let next = || args.next().and_then(|next| next.to_str()).map(str::to_owned);
            value.clone().or_else(next).ok_or_else(|| format!("`-{name}` needs a value"))
        };
        match name {
            "host" => host = value()?,
            "data" => data = Some(value()?),
            _ => return Err(format!("`{arg}` is no option of `request`")),
        }
    }
    let [method, path] = <[String; 2]>::try_from(words).map_err(|words| {
        format!("`request` takes a method and a path, not {} words", words.len())
    })?;
    Ok(Asked { host: parse_host(&host)?, method, path, data })
}

fn parse_host(host: &str) -> Result<Host, String> {
    if let Some(path) = host.strip_prefix("unix://") {
        return Ok(Host::Unix(PathBuf::from(path)));
    }
    let address = host
        .strip_prefix("tcp://")
        .or_else(|| host.strip_prefix("http://"))
        .unwrap_or(host)
        .trim_end_matches('/');
    if address.contains("://") || address.is_empty() {
        return Err(format!("`{host}` is no host; use tcp://host:port or unix:///path"));
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(Host::Tcp(if has_port { address.to_owned() } else { format!("{address}:2375") }))
}

async fn ask(asked: Asked) -> anyhow::Result<u8> {
    match &asked.host {
        Host::Tcp(address) => {
            let stream = TcpStream::connect(address)
                .await
                .with_context(|| format!("`{address}` cannot be reached"))?;
            exchange(TokioIo::new(stream), &asked).await
        }
        Host::Unix(path) => {
            let stream = UnixStream::connect(path)
                .await
                .with_context(|| format!("`{}` cannot be reached", path.display()))?;
            exchange(TokioIo::new(stream), &asked).await
        }
    }
}

async fn exchange<S>(io: TokioIo<S>, asked: &Asked) -> anyhow::Result<u8>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::new(Full::new(Bytes::from(asked.data.clone().unwrap_or_default())));
    *request.method_mut() = Method::from_bytes(asked.method.as_bytes())
        .with_context(|| format!("`{}` is no method", asked.method))?;
    *request.uri_mut() =
        asked.path.parse().with_context(|| format!("`{}` is no path", asked.path))?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("sockwarden"));
    request.headers_mut().insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("sockwarden/", env!("CARGO_PKG_VERSION"))),
    );
    if asked.data.is_some() {
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let response = sender.send_request(request).await.context("no answer came")?;
    let status = response.status();
    complain(&format!("{} {} -> {status}", asked.method, asked.path));
    let mut body = response.into_body();
    let mut out = std::io::stdout();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.context("the answer was cut short")?.into_data() {
            out.write_all(&data)
                .and_then(|()| out.flush())
                .context("standard output cannot be written")?;
        }
    }
    Ok(if status.as_u16() < 400 { exit::STOPPED } else { exit::FAILED })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &[&str], want: Result<(&str, &str, &str), &str>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let got =
            parse(&args, None).map(|asked| (format!("{:?}", asked.host), asked.method, asked.path));
        let want = want
            .map(|(host, method, path)| (host.to_owned(), method.to_owned(), path.to_owned()))
            .map_err(str::to_owned);
        assert_eq!(got, want);
    }

    #[test]
    fn command_lines_are_read() {
        check(&["GET", "/_ping"], Ok(("Tcp(\"127.0.0.1:2375\")", "GET", "/_ping")));
        check(&["-host=tcp://proxy", "GET", "/info"], Ok(("Tcp(\"proxy:2375\")", "GET", "/info")));
        check(
            &["--host", "unix:///run/x.sock", "GET", "/info"],
            Ok(("Unix(\"/run/x.sock\")", "GET", "/info")),
        );
        check(&["GET"], Err("`request` takes a method and a path, not 1 words"));
        check(&["-hots=x", "GET", "/"], Err("`-hots=x` is no option of `request`"));
        check(&["GET", "/", "-data"], Err("`-data` needs a value"));
        check(
            &["-host=ssh://x", "GET", "/"],
            Err("`ssh://x` is no host; use tcp://host:port or unix:///path"),
        );
    }

    #[test]
    fn help_is_told_from_a_value() {
        let helps = |args: &[&str]| is_help(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(helps(&["--help"]) && helps(&["GET", "-h"]) && helps(&["-host", "x", "-help"]));
        assert!(!helps(&["-data", "-h", "GET", "/"]) && !helps(&["-data=-h", "GET", "/"]));
    }
}

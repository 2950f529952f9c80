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

use super::terminal::{arguments, complain, exit, misused, small_runtime};
use crate::config::Parsed;

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
    let parsed = match arguments("request", args) {
        Ok(parsed) => parsed,
        Err(ended) => return ended,
    };
    let docker_host = env
        .into_iter()
        .find(|(name, _)| name == "DOCKER_HOST")
        .and_then(|(_, value)| value.into_string().ok());
    match asked(parsed, docker_host.filter(|host| !host.is_empty())) {
        Ok(asked) => small_runtime()?.block_on(ask(asked)),
        Err(what) => Ok(misused(&what, "request")),
    }
}

fn asked(parsed: Parsed, docker_host: Option<String>) -> Result<Asked, String> {
    let host = parsed.flag("host").map(str::to_owned).or(docker_host);
    let data = parsed.flag("data").map(str::to_owned);
    let [method, path] = <[String; 2]>::try_from(parsed.words)
        .map_err(|words| format!("there are {} words", words.len()))?;
    Ok(Asked { host: parse_host(host.as_deref().unwrap_or(DEFAULT_HOST))?, method, path, data })
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
    fn check(host: &str, want: Result<Host, &str>) {
        assert_eq!(parse_host(host), want.map_err(str::to_owned));
    }

    #[test]
    fn hosts_are_read_as_docker_writes_them() {
        let tcp = |address: &str| Ok(Host::Tcp(address.to_owned()));
        check(DEFAULT_HOST, tcp("127.0.0.1:2375"));
        check("tcp://proxy", tcp("proxy:2375"));
        check("http://proxy:1/", tcp("proxy:1"));
        check("unix:///run/x.sock", Ok(Host::Unix("/run/x.sock".into())));
        check("ssh://x", Err("`ssh://x` is no host; use tcp://host:port or unix:///path"));
    }
}

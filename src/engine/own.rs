//! Our own questions to the engine: a closed, read-only set.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::{Engine, EngineError};
use crate::socket::SharedSocket;

/// A question of ours. There is no variant that changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCall {
    /// `HEAD`-free liveness: `GET /_ping`.
    Ping,
    /// `GET /version`.
    Version,
}

impl OwnCall {
    fn path(self) -> &'static str {
        match self {
            Self::Ping => "/_ping",
            Self::Version => "/version",
        }
    }
}

/// The longest answer to one of our own questions, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long the engine may take over one.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// What `GET /version` says of the engine.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EngineVersion {
    /// The engine's version, for example `28.5.2`.
    pub version: String,
    /// Its newest API version, for example `1.51`.
    pub api_version: String,
    /// The oldest API version it accepts.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
}

impl Engine {
    /// Asks one of our own questions on a connection of its own.
    ///
    /// # Errors
    /// When the engine cannot be reached, takes longer than five seconds, or does not answer 200.
    pub async fn ask(&self, call: OwnCall) -> Result<Bytes, EngineError> {
        tokio::time::timeout(ANSWER_DEADLINE, self.ask_patiently(call))
            .await
            .map_err(|_| EngineError::Slow(ANSWER_DEADLINE))?
    }

    /// Whether the engine answers a ping.
    ///
    /// # Errors
    /// As for [`Engine::ask`].
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.ask(OwnCall::Ping).await.map(|_| ())
    }

    /// Which engine it is.
    ///
    /// # Errors
    /// As for [`Engine::ask`], and when the answer is not the JSON it should be.
    pub async fn version(&self) -> Result<EngineVersion, EngineError> {
        let answer = self.ask(OwnCall::Version).await?;
        serde_json::from_slice(&answer)
            .map_err(|_| EngineError::Unexpected("its version is not JSON"))
    }

    async fn ask_patiently(&self, call: OwnCall) -> Result<Bytes, EngineError> {
        let socket = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(SharedSocket(socket)))
            .await
            .map_err(EngineError::Broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _ = connection.await;
        });
        let mut request = http::Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = http::Uri::from_static(call.path());
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("docker"));
        let response = sender.send_request(request).await.map_err(EngineError::Broken)?;
        if response.status() != StatusCode::OK {
            return Err(EngineError::Unexpected("it refuses one of our own questions"));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok(body
            .map_err(|_| EngineError::Unexpected("its answer is cut short or too long"))?
            .to_bytes())
    }
}

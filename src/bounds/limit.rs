//! The limits that can be reached, and what is said where one is.

use http::StatusCode;

use super::limits::Limits;
use crate::setting::SettingName;

const MIB: usize = 1024 * 1024;

/// A limit that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The length of a request head.
    HeadBytes,
    /// The number of its fields.
    HeadFields,
    /// The time it takes.
    HeadTime,
    /// The length of a body that is judged.
    BodyBytes,
    /// The time it takes.
    BodyTime,
    /// Connections at once.
    Connections,
    /// Connections of one client at once.
    ConnectionsPerClient,
    /// Streams of one client at once.
    StreamsPerClient,
    /// Requests that wait until it is known who asks.
    Waiting,
    /// The memory that requests take.
    Memory,
    /// The memory that requests of one client take.
    MemoryPerClient,
}

impl Limit {
    /// Every limit, in the order of the table of settings.
    pub const ALL: [Self; 11] = [
        Self::HeadBytes,
        Self::HeadFields,
        Self::HeadTime,
        Self::BodyBytes,
        Self::BodyTime,
        Self::Connections,
        Self::ConnectionsPerClient,
        Self::StreamsPerClient,
        Self::Waiting,
        Self::Memory,
        Self::MemoryPerClient,
    ];

    /// What raises it.
    pub const fn setting(self) -> SettingName {
        match self {
            Self::HeadBytes => SettingName::MaxHeadBytes,
            Self::HeadFields => SettingName::MaxHeaders,
            Self::HeadTime => SettingName::HeadTimeout,
            Self::BodyBytes => SettingName::MaxBodyBytes,
            Self::BodyTime => SettingName::BodyTimeout,
            Self::Connections => SettingName::MaxConnections,
            Self::ConnectionsPerClient => SettingName::MaxConnectionsPerClient,
            Self::StreamsPerClient => SettingName::MaxStreamsPerClient,
            Self::Waiting => SettingName::MaxWaiting,
            Self::Memory | Self::MemoryPerClient => SettingName::MaxMemory,
        }
    }

    /// What a request is answered with that reaches it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::HeadBytes | Self::HeadFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HeadTime | Self::BodyTime => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBytes => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Connections | Self::Waiting | Self::Memory => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectionsPerClient | Self::StreamsPerClient | Self::MemoryPerClient => {
                StatusCode::TOO_MANY_REQUESTS
            }
        }
    }

    /// What a client is told that reaches it.
    pub fn message(self, limits: &Limits) -> String {
        let setting = self.setting();
        match self {
            Self::HeadBytes => format!(
                "the request head is longer than {} bytes; send a shorter one, or raise {setting}",
                limits.head_bytes
            ),
            Self::HeadFields => format!(
                "the request has more than {} header fields; send fewer, or raise {setting}",
                limits.head_fields
            ),
            Self::HeadTime => format!(
                "the request head took longer than {} seconds; send it faster, or raise {setting}",
                limits.head_timeout.as_secs()
            ),
            Self::BodyBytes => format!(
                "the request body is longer than {} bytes, which is the most that is read to be judged; send a shorter one, or raise {setting}",
                limits.inspected_body_limit
            ),
            Self::BodyTime => format!(
                "the request body took longer than {} seconds; send it faster, or raise {setting}",
                limits.inspected_body_timeout.as_secs()
            ),
            Self::Connections => format!(
                "all {} connections are taken; try again later, or raise {setting} and the limit of open files",
                limits.connections
            ),
            Self::ConnectionsPerClient => format!(
                "this client has {} connections open; close some, or raise {setting}",
                limits.connections_per_client
            ),
            Self::StreamsPerClient => format!(
                "this client has {} streams open; close some, or raise {setting}",
                limits.streams_per_client
            ),
            Self::Waiting => format!(
                "too many requests wait until it is known which container asks; try again later, or raise {setting} ({})",
                limits.waiting
            ),
            Self::Memory => format!(
                "the requests of all clients take all the memory they may; try again later, or raise {setting} ({} MiB)",
                limits.memory / MIB
            ),
            Self::MemoryPerClient => format!(
                "the requests of this client take all the memory they may; send fewer or smaller ones at once, or raise {setting} ({} MiB)",
                limits.memory / MIB
            ),
        }
    }
}

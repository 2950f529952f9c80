//! What settings are called. The table of options and every message take the names from here, so that they cannot differ.

use std::fmt;

use crate::request::Method;

/// Makes the names: one variant for each setting, with its flag (without the dash) and its variable.
macro_rules! names {
    ($($setting:ident = $name:literal, $variable:literal;)+) => {
        /// A setting, as messages and the table of options know it.
        ///
        /// In a message it is its flag in backticks; [`SettingName::set_to`] and [`SettingName::or_variable`] say more.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are the settings")]
        pub enum SettingName {
            $($setting,)+
        }

        impl SettingName {
            /// Every setting.
            pub const ALL: &[Self] = &[$(Self::$setting,)+];

            /// Its flag without the dash.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$setting => $name,)+
                }
            }

            /// Its flag as one writes it.
            pub const fn flag(self) -> &'static str {
                match self {
                    $(Self::$setting => concat!("-", $name),)+
                }
            }

            /// Its environment variable.
            pub const fn variable(self) -> &'static str {
                match self {
                    $(Self::$setting => $variable,)+
                }
            }
        }
    };
}

names! {
    AllowFrom = "allowfrom", "SP_ALLOWFROM";
    Allow = "allow", "SP_ALLOW";
    AllowGet = "allowGET", "SP_ALLOW_GET";
    AllowHead = "allowHEAD", "SP_ALLOW_HEAD";
    AllowPost = "allowPOST", "SP_ALLOW_POST";
    AllowPut = "allowPUT", "SP_ALLOW_PUT";
    AllowPatch = "allowPATCH", "SP_ALLOW_PATCH";
    AllowDelete = "allowDELETE", "SP_ALLOW_DELETE";
    AllowConnect = "allowCONNECT", "SP_ALLOW_CONNECT";
    AllowTrace = "allowTRACE", "SP_ALLOW_TRACE";
    AllowOptions = "allowOPTIONS", "SP_ALLOW_OPTIONS";
    AllowBindMountFrom = "allowbindmountfrom", "SP_ALLOWBINDMOUNTFROM";
    Images = "images", "SP_IMAGES";
    DenyHostMounts = "denyhostmounts", "SP_DENYHOSTMOUNTS";
    DenyNetworkVolumes = "denynetworkvolumes", "SP_DENYNETWORKVOLUMES";
    HostAccess = "hostaccess", "SP_HOSTACCESS";
    ListenIp = "listenip", "SP_LISTENIP";
    ProxyPort = "proxyport", "SP_PROXYPORT";
    ProxySocketEndpoint = "proxysocketendpoint", "SP_PROXYSOCKETENDPOINT";
    ProxySocketEndpointFileMode = "proxysocketendpointfilemode", "SP_PROXYSOCKETENDPOINTFILEMODE";
    SocketPath = "socketpath", "SP_SOCKETPATH";
    AllowHealthCheck = "allowhealthcheck", "SP_ALLOWHEALTHCHECK";
    WatchdogInterval = "watchdoginterval", "SP_WATCHDOGINTERVAL";
    StopOnWatchdog = "stoponwatchdog", "SP_STOPONWATCHDOG";
    ShutdownGraceTime = "shutdowngracetime", "SP_SHUTDOWNGRACETIME";
    NoSandbox = "nosandbox", "SP_NOSANDBOX";
    MaxHeadBytes = "maxheadbytes", "SP_MAXHEADBYTES";
    MaxHeaders = "maxheaders", "SP_MAXHEADERS";
    HeadTimeout = "headtimeout", "SP_HEADTIMEOUT";
    MaxBodyBytes = "maxbodybytes", "SP_MAXBODYBYTES";
    BodyTimeout = "bodytimeout", "SP_BODYTIMEOUT";
    MaxConnections = "maxconnections", "SP_MAXCONNECTIONS";
    MaxConnectionsPerClient = "maxconnectionsperclient", "SP_MAXCONNECTIONSPERCLIENT";
    MaxStreamsPerClient = "maxstreamsperclient", "SP_MAXSTREAMSPERCLIENT";
    MaxWaiting = "maxwaiting", "SP_MAXWAITING";
    MaxMemory = "maxmemory", "SP_MAXMEMORY";
    LogLevel = "loglevel", "SP_LOGLEVEL";
    LogJson = "logjson", "SP_LOGJSON";
    ProxyContainerName = "proxycontainername", "SP_PROXYCONTAINERNAME";
    DockerLabelPrefix = "dockerlabelprefix", "SP_DOCKERLABELPREFIX";
    TrustImageLabels = "trustimagelabels", "SP_TRUSTIMAGELABELS";
}

impl SettingName {
    /// The setting that allows paths for a method.
    pub const fn allow(method: Method) -> Self {
        match method {
            Method::Get => Self::AllowGet,
            Method::Head => Self::AllowHead,
            Method::Post => Self::AllowPost,
            Method::Put => Self::AllowPut,
            Method::Patch => Self::AllowPatch,
            Method::Delete => Self::AllowDelete,
            Method::Connect => Self::AllowConnect,
            Method::Trace => Self::AllowTrace,
            Method::Options => Self::AllowOptions,
        }
    }

    /// With a value, as one writes both on a command line.
    pub const fn set_to(self, value: &str) -> Named<'_> {
        Named { setting: self, value: Some(value), has_variable: false }
    }

    /// With its variable behind it, for those who set variables.
    pub const fn or_variable(self) -> Named<'static> {
        Named { setting: self, value: None, has_variable: true }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.flag())
    }
}

/// A setting as one message names it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    setting: SettingName,
    value: Option<&'a str>,
    has_variable: bool,
}

impl Named<'_> {
    /// With its variable behind it, for those who set variables.
    #[must_use]
    pub const fn or_variable(self) -> Self {
        Self { has_variable: true, ..self }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "`{}={value}`", self.setting.flag())?,
            None => self.setting.fmt(f)?,
        }
        if self.has_variable { write!(f, " ({})", self.setting.variable()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_named_as_briefly_as_the_message_wants() {
        let access = SettingName::HostAccess;
        assert_eq!(access.to_string(), "`-hostaccess`");
        assert_eq!(access.or_variable().to_string(), "`-hostaccess` (SP_HOSTACCESS)");
        assert_eq!(access.set_to("deny").to_string(), "`-hostaccess=deny`");
        assert_eq!(
            access.set_to("deny").or_variable().to_string(),
            "`-hostaccess=deny` (SP_HOSTACCESS)"
        );
    }

    #[test]
    fn every_method_has_the_setting_that_allows_it() {
        for method in Method::ALL {
            assert_eq!(SettingName::allow(method).name(), format!("allow{method}"));
        }
    }
}

//! What settings are called. The table of options and every message take the names from here, so that they cannot differ.
//!
//! A message calls a setting by its variable if the user gave it by its variable, else by its flag.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::request::Method;

/// Makes the names: one variant for each setting, with its flag (without the dash) and its variable.
macro_rules! names {
    ($($setting:ident = $name:literal, $variable:literal;)+) => {
        /// A setting, as messages and the table of options know it.
        ///
        /// In a message it is its flag or its variable in backticks; [`SettingName::set_to`] and [`SettingName::or_variable`] say more.
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

/// The settings that the user gave by their variables, a bit each. A process has one configuration, and this is about words alone, so it
/// stands here once instead of being handed to every room that names a setting.
static BY_VARIABLE: AtomicU64 = AtomicU64::new(0);

const _: () = assert!(SettingName::ALL.len() <= 64, "each setting has its bit");

impl SettingName {
    /// From now on messages call these settings by their variables, and all others by their flags.
    pub fn call_by_variable(settings: &[Self]) {
        let bits = settings.iter().fold(0, |bits, setting| bits | setting.bit());
        BY_VARIABLE.store(bits, Ordering::Relaxed);
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }

    fn is_given_by_variable(self) -> bool {
        BY_VARIABLE.load(Ordering::Relaxed) & self.bit() != 0
    }

    /// Its variable if the user gave it by that, else its flag.
    pub fn as_given(self) -> &'static str {
        if self.is_given_by_variable() { self.variable() } else { self.flag() }
    }

    /// Whether several may be given, all of which count.
    pub const fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::AllowGet
                | Self::AllowHead
                | Self::AllowPost
                | Self::AllowPut
                | Self::AllowPatch
                | Self::AllowDelete
                | Self::AllowConnect
                | Self::AllowTrace
                | Self::AllowOptions
        )
    }

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

    /// With a value, as one writes both.
    pub const fn set_to(self, value: &str) -> Named<'_> {
        Named { setting: self, value: Some(value), has_quotes: false, has_variable: false }
    }

    /// With its variable behind it, for those who set variables.
    pub const fn or_variable(self) -> Named<'static> {
        Named { setting: self, value: None, has_quotes: false, has_variable: true }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.as_given())
    }
}

/// A setting as one message names it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    setting: SettingName,
    value: Option<&'a str>,
    has_quotes: bool,
    has_variable: bool,
}

impl Named<'_> {
    /// With its variable behind it, for those who set variables.
    #[must_use]
    pub const fn or_variable(self) -> Self {
        Self { has_variable: true, ..self }
    }

    /// With quotes for a shell around the value of the flag. A variable has none: Compose would take them for a part of it.
    #[must_use]
    pub const fn quoted(self) -> Self {
        Self { has_quotes: true, ..self }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, by_variable: bool) -> fmt::Result {
        let Self { setting, value, has_quotes, has_variable } = self;
        if by_variable {
            let variable = setting.variable();
            // The flag would replace what the variables say.
            return match value {
                // One more beside those that are there.
                Some(value) if setting.is_repeatable() => write!(f, "`{variable}_2={value}`"),
                Some(value) => write!(f, "`{variable}={value}`"),
                None => write!(f, "`{variable}`"),
            };
        }
        let quote = if *has_quotes { "'" } else { "" };
        match value {
            Some(value) => write!(f, "`{}={quote}{value}{quote}`", setting.flag())?,
            None => write!(f, "`{}`", setting.flag())?,
        }
        if *has_variable { write!(f, " ({})", setting.variable()) } else { Ok(()) }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, self.setting.is_given_by_variable())
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
    fn a_setting_that_was_given_by_its_variable_is_called_by_it() {
        let check = |named: Named<'_>, want: &str| {
            assert_eq!(fmt::from_fn(|f| named.write(f, true)).to_string(), want);
        };
        check(SettingName::HostAccess.or_variable(), "`SP_HOSTACCESS`");
        check(SettingName::HostAccess.set_to("deny").or_variable(), "`SP_HOSTACCESS=deny`");
        let get = SettingName::AllowGet.set_to("/info").quoted().or_variable();
        check(get, "`SP_ALLOW_GET_2=/info`");
        assert_eq!(get.to_string(), "`-allowGET='/info'` (SP_ALLOW_GET)");
    }

    #[test]
    fn every_method_has_the_setting_that_allows_it() {
        for method in Method::ALL {
            assert_eq!(SettingName::allow(method).name(), format!("allow{method}"));
        }
        let of_methods = SettingName::ALL.iter().filter(|setting| setting.is_repeatable());
        assert_eq!(of_methods.count(), Method::ALL.len());
    }
}

//! `hostaccess` as a list: what a client may reach of the host although access to it is denied.

use super::grammar::{Value, values};
use super::mistake::WordMistake;
use crate::rule::host_access::HostAccess;

/// What may be reached although access to the host is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Capabilities, without `CAP_`, in capitals.
    pub capabilities: Vec<String>,
    /// Devices, by their paths on the host.
    pub devices: Vec<String>,
    /// NFS and CIFS volumes.
    pub network_volumes: bool,
}

const THERE: &str = "there are `cap:NAME`, `device:PATH` and `network-volumes`";

impl Exceptions {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Exceptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let capabilities = self.capabilities.iter().map(|name| format!("cap:{name}"));
        let devices = self.devices.iter().map(|path| format!("device:{path}"));
        let volumes = self.network_volumes.then(|| "network-volumes".to_owned());
        let all: Vec<_> = capabilities.chain(devices).chain(volumes).collect();
        f.write_str(&all.join(", "))
    }
}

/// Reads `deny`, `allow`, or a list of exceptions, which denies all else.
///
/// # Errors
/// Everything that is wrong with it.
pub fn host_access(text: &str) -> Result<(HostAccess, Exceptions), Vec<WordMistake>> {
    if let Some(access) = HostAccess::parse(text.trim()) {
        return Ok((access, Exceptions::default()));
    }
    let mut exceptions = Exceptions::default();
    let read = values(text).into_iter().map(|value| {
        let (Value(globs), shown) = value?;
        let mistake = || WordMistake::Exception { given: shown.clone(), there: THERE };
        let [glob] = <[_; 1]>::try_from(globs).map_err(|_| mistake())?;
        let text = glob.text().ok_or_else(mistake)?;
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        };
        match text.split_once(':') {
            Some((kind, name)) if kind.eq_ignore_ascii_case("cap") && is_name(name) => {
                let upper = name.to_ascii_uppercase();
                let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
                // It stands for every one of them.
                if name == "ALL" {
                    return Err(mistake());
                }
                exceptions.capabilities.push(name.to_owned());
            }
            Some((kind, path)) if kind.eq_ignore_ascii_case("device") && is_device(path) => {
                exceptions.devices.push(path.to_owned());
            }
            None if text.eq_ignore_ascii_case("network-volumes") => {
                exceptions.network_volumes = true;
            }
            _ => return Err(mistake()),
        }
        Ok(())
    });
    super::grammar::collected(read).map(|_| (HostAccess::Deny, exceptions))
}

/// A device by its one path: a link or a directory would be more than it says.
fn is_device(path: &str) -> bool {
    path.strip_prefix("/dev/").is_some_and(|rest| {
        rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && !matches!(rest.split('/').next(), Some("fd" | "stdin" | "stdout" | "stderr"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read() {
        let shown = |text: &str| host_access(text).map(|(access, it)| (access, it.to_string()));
        assert_eq!(shown("Deny"), Ok((HostAccess::Deny, String::new())));
        assert_eq!(shown(" allow "), Ok((HostAccess::Allow, String::new())));
        let want = "cap:NET_ADMIN, cap:SYS_TIME, device:/dev/net/tun, network-volumes";
        assert_eq!(
            shown("cap:NET_ADMIN,\n device:/dev/net/tun, network-volumes, CAP:cap_sys_time"),
            Ok((HostAccess::Deny, want.to_owned()))
        );
        for wrong in [
            "",
            "yes",
            "cap:",
            "cap:ALL",
            "cap:*",
            "device:/etc",
            "device:/dev",
            "device:/dev/../etc",
            "device:/dev/fd/3",
            "deny, cap:NET_ADMIN",
            "allow,deny",
            "cap:A cap:B",
            "privileged",
        ] {
            assert!(host_access(wrong).is_err(), "{wrong}");
        }
    }
}

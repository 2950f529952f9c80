//! Podman's own API: the paths below `/libpod` that read what one of Docker's operations reads, under the same names.
//!
//! Everything else of that API is given by patterns alone. Its bodies are others, and some of its paths read more than Docker's path of the same
//! shape (`/libpod/volumes/{name}/export` holds files), so this is a list and no rule.

use crate::request::{Method, Operation};

/// What stands before and behind a name, or a whole path.
const READS: &[(&str, Option<&str>, Operation)] = &[
    ("/libpod/version", None, Operation::SystemVersion),
    ("/libpod/info", None, Operation::SystemInfo),
    ("/libpod/events", None, Operation::SystemEvents),
    ("/libpod/system/df", None, Operation::SystemDataUsage),
    ("/libpod/containers/json", None, Operation::ContainerList),
    ("/libpod/containers/stats", None, Operation::ContainerStats),
    ("/libpod/containers/", Some("/json"), Operation::ContainerInspect),
    ("/libpod/containers/", Some("/exists"), Operation::ContainerInspect),
    ("/libpod/containers/", Some("/logs"), Operation::ContainerLogs),
    ("/libpod/containers/", Some("/stats"), Operation::ContainerStats),
    ("/libpod/images/json", None, Operation::ImageList),
    ("/libpod/images/", Some("/json"), Operation::ImageInspect),
    ("/libpod/images/", Some("/exists"), Operation::ImageInspect),
    ("/libpod/images/", Some("/history"), Operation::ImageHistory),
    ("/libpod/networks/json", None, Operation::NetworkList),
    ("/libpod/networks/", Some("/json"), Operation::NetworkInspect),
    ("/libpod/networks/", Some("/exists"), Operation::NetworkInspect),
    ("/libpod/volumes/json", None, Operation::VolumeList),
    ("/libpod/volumes/", Some("/json"), Operation::VolumeInspect),
    ("/libpod/volumes/", Some("/exists"), Operation::VolumeInspect),
];

/// Docker's operation that reads the same.
pub(super) fn same_read(method: Method, path: &str) -> Option<Operation> {
    let is_it = |(before, behind, _): &&(&str, Option<&str>, Operation)| match behind {
        None => path == *before,
        Some(behind) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(behind))
            // Only an image's name holds slashes.
            .is_some_and(|name| {
                !name.is_empty() && (!name.contains('/') || *before == "/libpod/images/")
            }),
    };
    let found = READS.iter().find(is_it).map(|(_, _, operation)| *operation);
    found.filter(|_| method == Method::Get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, want: Option<Operation>) {
        assert_eq!(same_read(Method::Get, path), want, "{path}");
        assert_eq!(same_read(Method::Post, path), None);
    }

    #[test]
    fn only_what_is_listed_is_the_same() {
        check("/libpod/containers/json", Some(Operation::ContainerList));
        check("/libpod/containers/x/json", Some(Operation::ContainerInspect));
        check("/libpod/images/a/b/json", Some(Operation::ImageInspect));
        check("/libpod/networks/json", Some(Operation::NetworkList));
        for other in [
            "/libpod/volumes/x/export",
            "/libpod/containers/x/export",
            "/libpod/containers/x/mount",
            "/libpod/containers/x/top",
            "/libpod/containers/a/b/json",
            "/libpod/containers//json",
            "/libpod/secrets/x/json",
            "/libpod/generate/x/systemd",
            "/libpod/pods/json",
            "/containers/json",
            "/libpod",
        ] {
            check(other, None);
        }
    }
}

//! The query parameters of each operation and how engines read them: those of Docker's `OpenAPI` descriptions from 1.25 to 1.55, those that
//! moby's handlers read besides (`daemon/server/router`), and of Podman's (`pkg/api/handlers/compat`) those that Docker's clients send or
//! that reach the host.
//!
//! A parameter that is not in here means nothing to Docker. To Podman it may: it has more of them with each version, and takes them in any case.

use super::Operation;

/// A parameter's name, as engines spell it, and how it is read.
pub type Parameter = (&'static str, Reading);

/// How an engine reads a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One value. Docker reads the first of several and Podman the last, so there may be one only.
    Once,
    /// One value, which is a JSON document.
    Json,
    /// Every value.
    List,
    /// One value, of which docker-py sends a second: a Dockerfile from outside the context goes by its name, and then again by its content. The
    /// second is left out, so that all engines read the first.
    First,
}

use Reading::{First, Json, List, Once};

impl Operation {
    /// The parameters that an engine may read.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::SystemEvents => {
                &[("since", Once), ("until", Once), ("filters", Json), ("stream", Once)]
            }
            Self::SystemDataUsage => &[("type", List), ("verbose", Once)],
            Self::ContainerList => &[
                ("all", Once),
                ("limit", Once),
                ("size", Once),
                ("filters", Json),
                ("before", Once),
                ("since", Once),
                ("trunc_cmd", Once),
            ],
            Self::ContainerAttachWebsocket | Self::ContainerAttach => &[
                ("detachKeys", Once),
                ("logs", Once),
                ("stream", Once),
                ("stdin", Once),
                ("stdout", Once),
                ("stderr", Once),
            ],
            Self::ContainerInspect => &[("size", Once)],
            Self::ContainerTop => &[("ps_args", Once)],
            Self::ContainerLogs => &[
                ("details", Once),
                ("follow", Once),
                ("stdout", Once),
                ("stderr", Once),
                ("since", Once),
                ("until", Once),
                ("timestamps", Once),
                ("tail", Once),
                ("format", Once),
            ],
            Self::ContainerStats => &[("stream", Once), ("one-shot", Once)],
            Self::ContainerChanges => &[("diffType", Once), ("parent", Once)],
            Self::ContainerArchiveInfo | Self::ContainerArchive => &[("path", Once)],
            Self::PutContainerArchive => {
                &[("path", Once), ("noOverwriteDirNonDir", Once), ("copyUIDGID", Once)]
            }
            Self::ContainerCreate => &[("name", Once), ("platform", Once)],
            Self::ContainerStart => {
                &[("detachKeys", Once), ("checkpoint", Once), ("checkpoint-dir", Once)]
            }
            Self::ContainerStop => {
                &[("t", Once), ("signal", Once), ("timeout", Once), ("ignore", Once)]
            }
            Self::ContainerRestart => &[("t", Once), ("signal", Once), ("timeout", Once)],
            Self::ContainerKill => &[("signal", Once)],
            Self::ContainerWait => &[("condition", Once)],
            Self::ContainerResize | Self::ExecResize => {
                &[("h", Once), ("w", Once), ("running", Once)]
            }
            Self::ContainerRename | Self::PluginCreate => &[("name", Once)],
            Self::ContainerPrune
            | Self::ImagePrune
            | Self::NetworkList
            | Self::NetworkPrune
            | Self::VolumeList
            | Self::VolumePrune
            | Self::NodeList
            | Self::TaskList
            | Self::SecretList
            | Self::ConfigList
            | Self::PluginList => &[("filters", Json)],
            Self::CheckpointList | Self::CheckpointDelete => &[("dir", Once)],
            Self::ContainerDelete => {
                &[("v", Once), ("force", Once), ("link", Once), ("timeout", Once), ("ignore", Once)]
            }
            Self::ImageCommit => &[
                ("container", Once),
                ("repo", Once),
                ("tag", Once),
                ("comment", Once),
                ("author", Once),
                ("pause", Once),
                ("changes", List),
                ("squash", Once),
            ],
            Self::ImageList => &[
                ("all", Once),
                ("filters", Json),
                ("filter", Once),
                ("digests", Once),
                ("shared-size", Once),
                ("manifests", Once),
                ("identity", Once),
                ("only_ids", Once),
            ],
            Self::ImageSearch => &[("term", Once), ("limit", Once), ("filters", Json)],
            Self::ImageGetAll => &[("names", List), ("platform", List)],
            Self::ImageGet => &[("platform", List)],
            Self::ImageInspect => &[("manifests", Once), ("platform", Once), ("size", Once)],
            Self::ImageHistory => &[("platform", Once)],
            Self::ImageAttestations => &[("platform", List), ("type", List), ("statement", Once)],
            Self::ImageCreate => &[
                ("fromImage", Once),
                ("fromSrc", Once),
                ("repo", Once),
                ("tag", Once),
                ("platform", Once),
                ("message", Once),
                ("changes", List),
            ],
            Self::ImageLoad => &[("quiet", Once), ("platform", List)],
            Self::ImagePush => &[("tag", Once), ("platform", Once)],
            Self::ImageTag => &[("repo", Once), ("tag", Once), ("force", Once)],
            Self::ImageDelete => {
                &[("force", Once), ("noprune", Once), ("platforms", List), ("ignore", Once)]
            }
            Self::ImageBuild => &[
                ("dockerfile", First),
                ("t", List),
                ("remote", Once),
                ("q", Once),
                ("nocache", Once),
                ("cachefrom", Json),
                ("pull", Once),
                ("rm", Once),
                ("forcerm", Once),
                ("memory", Once),
                ("memswap", Once),
                ("cpushares", Once),
                ("cpusetcpus", Once),
                ("cpusetmems", Once),
                ("cpuperiod", Once),
                ("cpuquota", Once),
                ("buildargs", Json),
                ("shmsize", Once),
                ("squash", Once),
                ("labels", Json),
                ("networkmode", Once),
                ("extrahosts", List),
                ("platform", List),
                ("target", Once),
                ("version", Once),
                ("outputs", Json),
                ("isolation", Once),
                ("securityopt", List),
                ("cgroupparent", Once),
                ("ulimits", Json),
                ("session", Once),
                ("buildid", Once),
                ("additionalbuildcontexts", Once),
                ("addcaps", Once),
                ("apparmor", Once),
                ("devices", Once),
                ("idmappingoptions", Once),
                ("labelopts", Once),
                ("nsoptions", Once),
                ("rusagelogfile", Once),
                ("seccomp", Once),
                ("transientRunMounts", Once),
                ("volume", Once),
            ],
            Self::BuildPrune => &[
                ("keep-storage", Once),
                ("all", Once),
                ("filters", Json),
                ("reserved-space", Once),
                ("max-used-space", Once),
                ("min-free-space", Once),
            ],
            Self::BuildCancel => &[("id", Once)],
            Self::NetworkInspect => &[("verbose", Once), ("scope", Once)],
            Self::NetworkDelete | Self::VolumeDelete => &[("force", Once), ("timeout", Once)],
            Self::VolumeUpdate | Self::NodeUpdate | Self::SecretUpdate | Self::ConfigUpdate => {
                &[("version", Once)]
            }
            Self::SwarmLeave | Self::NodeDelete | Self::PluginDisable | Self::PluginDelete => {
                &[("force", Once)]
            }
            Self::SwarmUpdate => &[
                ("version", Once),
                ("rotateWorkerToken", Once),
                ("rotateManagerToken", Once),
                ("rotateManagerUnlockKey", Once),
            ],
            Self::ServiceList => &[("filters", Json), ("status", Once)],
            Self::ServiceLogs | Self::TaskLogs => &[
                ("details", Once),
                ("follow", Once),
                ("stdout", Once),
                ("stderr", Once),
                ("since", Once),
                ("until", Once),
                ("timestamps", Once),
                ("tail", Once),
            ],
            Self::ServiceInspect => &[("insertDefaults", Once)],
            Self::ServiceUpdate => {
                &[("version", Once), ("registryAuthFrom", Once), ("rollback", Once)]
            }
            Self::GetPluginPrivileges => &[("name", Once), ("remote", Once)],
            Self::PluginPull => &[("remote", Once), ("name", Once)],
            Self::PluginEnable => &[("timeout", Once)],
            Self::PluginUpgrade => &[("remote", Once)],
            Self::DebugPprofProfile => &[("seconds", Once), ("debug", Once), ("gc", Once)],
            Self::SystemPing
            | Self::SystemPingHead
            | Self::SystemVersion
            | Self::SystemInfo
            | Self::SystemAuth
            | Self::ContainerExport
            | Self::ContainerPause
            | Self::ContainerUnpause
            | Self::ContainerUpdate
            | Self::ContainerExec
            | Self::CheckpointCreate
            | Self::ExecInspect
            | Self::ExecStart
            | Self::DistributionInspect
            | Self::Session
            | Self::Grpc
            | Self::NetworkCreate
            | Self::NetworkConnect
            | Self::NetworkDisconnect
            | Self::VolumeInspect
            | Self::VolumeCreate
            | Self::SwarmInspect
            | Self::SwarmUnlockkey
            | Self::SwarmInit
            | Self::SwarmJoin
            | Self::SwarmUnlock
            | Self::ServiceCreate
            | Self::ServiceDelete
            | Self::NodeInspect
            | Self::TaskInspect
            | Self::SecretCreate
            | Self::SecretInspect
            | Self::SecretDelete
            | Self::ConfigCreate
            | Self::ConfigInspect
            | Self::ConfigDelete
            | Self::PluginInspect
            | Self::PluginPush
            | Self::PluginSet
            | Self::DebugVars
            | Self::DebugPprof
            | Self::Unknown => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::{env, fs};

    use super::*;
    use crate::request::json::folds_alike;

    /// Operations that read none are left out.
    fn page() -> String {
        let mut page = String::from(
            "<!-- Printed from the table in src/request/operation/parameters.rs. To change it change that, then run `UPDATE_EXPECT=1 cargo test`. -->\n\n# Query parameters\n\nThe parameters that engines read, by operation, and how sockwarden reads them. It refuses with 400 a second value of a parameter that is read\nonce, and a parameter that is spelled in another case than here: Docker and Podman read those in different ways. With `-hostaccess=deny` it\nrefuses parameters that are not in this table; with `-allowbindmountfrom`, `-denyhostmounts` or `-denynetworkvolumes` only those of operations that can mount something. Operations that are\nnot in the table have no parameters.\n\n| Operation | Once | As JSON, once | As a list |\n|---|---|---|---|\n",
        );
        for operation in Operation::all().filter(|operation| !operation.parameters().is_empty()) {
            let column = |wanted: &[Reading]| {
                let names = operation.parameters().iter();
                let names = names.filter(|(_, reading)| wanted.contains(reading));
                names.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" ")
            };
            let (once, json, list) = (column(&[Once, First]), column(&[Json]), column(&[List]));
            writeln!(page, "| `{operation}` | {once} | {json} | {list} |").unwrap();
        }
        page
    }

    #[test]
    fn the_page_is_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parameters.md");
        if env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
            fs::write(&path, page()).unwrap();
        }
        let same = fs::read_to_string(&path).unwrap_or_default() == page();
        assert!(same, "docs/parameters.md is not the table; run `UPDATE_EXPECT=1 cargo test`");
    }

    #[test]
    fn no_two_parameters_of_an_operation_are_alike() {
        for operation in Operation::all() {
            let parameters = operation.parameters();
            for (place, (name, _)) in parameters.iter().enumerate() {
                let others = parameters.iter().skip(place + 1);
                let alike = others.map(|(other, _)| other).find(|other| folds_alike(name, other));
                assert_eq!(alike, None, "{operation} {name}");
            }
        }
    }
}

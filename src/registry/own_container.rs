//! Which container we are.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::client::ContainerId;
use crate::engine::questions::ContainerInspect;
use crate::engine::{Engine, EngineError, OwnCall};
use crate::setting::SettingName;

const OWN: SettingName = SettingName::ProxyContainerName;

/// How often our own container is looked for at start, and the pause between: the peer's number of tries.
pub(super) const TRIES: u32 = 3;
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How the proxy's own container is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnContainer {
    /// By looking at our own cgroup, mounts and host name.
    Auto,
    /// By this exact name or id.
    Named(String),
}

/// Why our own container was not found.
#[derive(Debug, thiserror::Error)]
pub enum OwnContainerError {
    /// No container has that name or id.
    #[error(
        "no container has the name or id `{name}` that {OWN} says; there are {existing}; name the container that sockwarden runs in, or use `auto`"
    )]
    NoSuchContainer {
        /// What was asked for.
        name: String,
        /// The names there are.
        existing: String,
    },
    /// We do not seem to run in a container of this engine.
    #[error(
        "{} found no container of this engine that sockwarden runs in (tried {tried}); per-container allowlists need sockwarden in a container of the engine that it guards: start it in one, give that container's name, or leave {OWN} out",
        OWN.set_to("auto")
    )]
    NotInAContainer {
        /// What was tried.
        tried: String,
    },
    /// The engine knows no address of ours, so it cannot say who comes to us.
    #[error(
        "sockwarden's container `{name}` has no address on a network of the engine (its network mode is `{mode}`), so the engine cannot say which container asks; attach it to a network of its clients (`networks:` in compose), use `network_mode: host`, or leave {OWN} out"
    )]
    NoAddress {
        /// Our own container.
        name: String,
        /// How its network was chosen.
        mode: String,
    },
    /// The engine could not be asked.
    #[error("the engine could not be asked which container sockwarden runs in")]
    Engine(#[from] Arc<EngineError>),
}

impl From<EngineError> for OwnContainerError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Arc::new(error))
    }
}

/// Finds our own container, by exact name or id, with a few tries.
pub(super) async fn find(
    engine: &Engine,
    wanted: &OwnContainer,
) -> Result<ContainerInspect, OwnContainerError> {
    let mut tries = 1;
    loop {
        match find_once(engine, wanted).await {
            Err(error) if tries < TRIES => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    tries,
                    "our own container was not found; trying again"
                );
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

async fn find_once(
    engine: &Engine,
    wanted: &OwnContainer,
) -> Result<ContainerInspect, OwnContainerError> {
    match wanted {
        OwnContainer::Named(name) => match inspect_exactly(engine, name).await? {
            Some(found) => Ok(found),
            None => Err(OwnContainerError::NoSuchContainer {
                name: name.clone(),
                existing: names(engine).await?,
            }),
        },
        OwnContainer::Auto => {
            let candidates = candidates();
            for candidate in &candidates {
                if let Some(found) = inspect_exactly(engine, candidate).await? {
                    return Ok(found);
                }
            }
            Err(OwnContainerError::NotInAContainer { tried: candidates.join(", ") })
        }
    }
}

/// The engine also finds containers by any unique start of an id; we do not, but for the twelve digits everybody is shown.
async fn inspect_exactly(
    engine: &Engine,
    name: &str,
) -> Result<Option<ContainerInspect>, EngineError> {
    let found: Option<ContainerInspect> = engine.ask_for(OwnCall::Container(name)).await?;
    let is_it = |found: &ContainerInspect| {
        found.name.strip_prefix('/') == Some(name)
            || found.id == name
            || (name.len() == 12 && found.id.starts_with(name))
    };
    Ok(found.filter(is_it))
}

async fn names(engine: &Engine) -> Result<String, EngineError> {
    let names = engine.containers(|row| Some(format!("`{}`", row.name()))).await?;
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

/// What might be our own container's id: from the files that the engine mounts into every container, from our cgroup, and the host name,
/// which is the short id unless somebody set another.
fn candidates() -> Vec<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut candidates =
        id_in_mounts(&read("/proc/self/mountinfo")).into_iter().collect::<Vec<_>>();
    candidates.extend(id_in_cgroup(&read("/proc/self/cgroup")));
    candidates.push(read("/proc/sys/kernel/hostname").trim().to_owned());
    candidates.dedup();
    candidates.retain(|candidate| !candidate.is_empty());
    candidates
}

/// proc(5), `/proc/self/mountinfo`: the fourth column of the mount at `/etc/hostname` ends in `/containers/<id>/hostname`.
fn id_in_mounts(mounts: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut columns = line.split(' ').skip(3);
        let (root, target) = (columns.next()?, columns.next()?);
        let id = root
            .strip_suffix("/hostname")
            .filter(|_| target == "/etc/hostname")?
            .rsplit('/')
            .next()?;
        ContainerId::parse(id).map(|id| id.to_string())
    })
}

/// The last full id in a cgroup path, `/docker/<id>` or `docker-<id>.scope`.
fn id_in_cgroup(cgroup: &str) -> Option<String> {
    let parts = cgroup.lines().flat_map(|line| line.split(['/', '-', '.']));
    parts.filter_map(ContainerId::parse).next_back().map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_id_is_read_from_mounts_and_cgroup() {
        let id = "0123456789abcdef".repeat(4);
        let mounts = format!(
            "600 500 0:50 / / rw - overlay overlay rw\n601 600 254:0 /var/lib/docker/containers/{id}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n602 600 254:0 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
        );
        assert_eq!(id_in_mounts(&mounts), Some(id.clone()));
        assert_eq!(
            id_in_mounts("602 600 254:0 /x/hostname /etc/hostname rw - ext4 /dev/vda rw"),
            None
        );
        assert_eq!(id_in_cgroup(&format!("5:memory:/docker/{id}\n0::/")), Some(id.clone()));
        assert_eq!(id_in_cgroup(&format!("0::/system.slice/docker-{id}.scope")), Some(id));
        assert_eq!(id_in_cgroup("0::/"), None);
    }
}

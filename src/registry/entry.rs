//! What is taken from a row of the engine's list of containers.

use std::collections::BTreeMap;

use crate::client::{ContainerId, Step};
use crate::engine::questions::{ContainerRow, is_named_by_build};
use crate::rule::labels::LabelError;
use crate::rule::labels::creator::{CREATOR_LABEL, Creator, Service, is_lineage};

/// How long the labels of one container that speak of rights may be together, in bytes.
const MOST_LABEL_BYTES_IN_ALL: usize = 64 * 1024;

/// One container as the list says it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) image: String,
    /// Whether a build may have made it.
    pub(super) step: Step,
    /// The labels that speak of rights, or why they cannot be read.
    pub(super) labels: Result<Vec<(String, String)>, LabelError>,
    /// Who created it, by its label.
    pub(super) creator: Option<Creator>,
    /// Its Compose service, by its labels.
    pub(super) service: Option<Service>,
    /// The container whose network namespace it shares.
    pub(super) shares_with: Option<ContainerId>,
    /// Whether the row tells how its network was chosen; Podman's rows say `host` for all of them.
    pub(super) says_mode: bool,
}

impl Entry {
    pub(super) fn new(row: ContainerRow) -> Option<Self> {
        let name = row.name().to_owned();
        let mut labels = if row.is_cut { Err(LabelError::TooMuch) } else { Ok(Vec::new()) };
        let (lineage, policy): (BTreeMap<_, _>, BTreeMap<_, _>) =
            row.labels.into_iter().flatten().partition(|(key, _)| is_lineage(key));
        for (key, value) in policy {
            let Ok(kept) = &mut labels else { break };
            match value {
                Some(value) => kept.push((key, value)),
                None => labels = Err(LabelError::TooLong { key }),
            }
        }
        if labels.as_ref().is_ok_and(|labels| length(labels) > MOST_LABEL_BYTES_IN_ALL) {
            labels = Err(LabelError::TooMuch);
        }
        let mode = &row.host_config.network_mode;
        let is_on_host =
            row.network_settings.networks.iter().flatten().any(|(name, _)| name == "host");
        Some(Self {
            id: ContainerId::parse(&row.id)?,
            name,
            image: row.image_id,
            step: if is_named_by_build(&row.image) { Step::Unclear } else { Step::No },
            labels,
            creator: lineage
                .get(CREATOR_LABEL)
                .map(|value| value.as_deref().map_or(Creator::Unreadable, Creator::parse)),
            service: Service::of(&lineage),
            shares_with: row.host_config.shares_with(),
            says_mode: !mode.is_empty() && (mode != "host" || is_on_host),
        })
    }

    /// How long its labels that speak of rights are together, in bytes.
    pub(super) fn label_bytes(&self) -> usize {
        self.labels.as_ref().map_or(0, |labels| length(labels))
    }
}

fn length(labels: &[(String, String)]) -> usize {
    labels.iter().map(|(key, value)| key.len() + value.len()).sum()
}

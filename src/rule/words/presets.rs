//! Presets: what known programs need, from the files in `presets/`.

use std::sync::LazyLock;

use serde::Deserialize;

/// What one program needs, in words, and how that is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The word; the name of its file.
    #[serde(skip)]
    pub name: String,
    /// The program's name as it writes it.
    pub title: String,
    /// Where the program is at home.
    pub homepage: String,
    /// What the preset lets it do, one sentence.
    pub summary: String,
    /// Which versions were looked at.
    pub versions: String,
    /// Within a revision only reads are added.
    pub revision: u32,
    /// How its grants are known.
    pub evidence: Evidence,
    /// Files of the program's source, or recordings.
    pub sources: Vec<String>,
    /// The grants.
    pub allow: Vec<String>,
    /// What does not work under it, and what adds that.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How a preset's grants are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The calls of the program itself were recorded.
    Recorded,
    /// Its source was read.
    Read,
}

impl Evidence {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Read => "read",
        }
    }
}

macro_rules! presets {
    ($($name:literal,)*) => {
        /// The presets' names and files. A test holds them against the directory.
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../presets/", $name, ".toml"))),)*];
    };
}

presets! {
    "acme-companion",
    "act",
    "alloy",
    "autoheal",
    "beszel",
    "caddy-docker-proxy",
    "compose",
    "compose-readonly",
    "crowdsec",
    "ctop",
    "diun",
    "dive",
    "docker-cli-readonly",
    "docker-gen",
    "docker-volume-backup",
    "dozzle",
    "dozzle-actions",
    "ducker",
    "gitlab-runner",
    "glances",
    "homarr",
    "homepage",
    "lazydocker",
    "loggifly",
    "netdata",
    "ofelia",
    "oxker",
    "podman",
    "portainer",
    "portainer-manage",
    "prometheus",
    "skopeo",
    "telegraf",
    "testcontainers",
    "traefik",
    "traefik-swarm",
    "uptime-kuma",
    "vector",
    "watchtower",
    "watchtower-monitor",
    "wud",
}

/// Every preset, by name.
pub static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        // A test reads them all, so none is left out here.
        let preset: Preset = toml::from_str(text).ok()?;
        Some(Preset { name: (*name).to_owned(), ..preset })
    };
    FILES.iter().filter_map(read).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_preset() {
        let mut names: Vec<String> = std::fs::read_dir("presets")
            .unwrap()
            .filter_map(|entry| {
                entry.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned)
            })
            .collect();
        names.sort();
        assert_eq!(FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        for (name, text) in FILES {
            let preset: Preset =
                toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!preset.allow.is_empty() && preset.revision > 0, "{name}");
            assert!(!preset.sources.is_empty() && preset.summary.ends_with('.'), "{name}");
        }
        assert_eq!(PRESETS.len(), FILES.len());
    }
}

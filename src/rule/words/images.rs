//! Images as patterns: repositories with a tag, a digest, or any of both.

use std::fmt;

use super::glob::Glob;
use super::mistake::WordMistake;

/// Images by name: a pattern for the repository, and one for the tag or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    repository: Glob,
    /// Behind a colon or an `@`; `None` for any.
    version: Option<Glob>,
}

/// A reference to an image, in full: `docker.io/library/alpine` and `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    repository: String,
    /// A tag, or a digest, which wins over a tag.
    version: String,
}

impl ImagePattern {
    /// Reads a pattern. Docker Hub's own names may be written without their host, as everywhere.
    ///
    /// # Errors
    /// When it cannot be an image.
    pub(super) fn of(glob: &Glob) -> Result<Self, WordMistake> {
        let text = glob.to_string();
        let mistake = || WordMistake::Image { given: super::mistake::short(&text) };
        let (rest, digest) = match glob.cut_at('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (glob.clone(), None),
        };
        // A colon behind the last slash separates the tag; one before it belongs to the port of a registry.
        let (repository, tag) = match rest.cut_at_last(':') {
            Some((repository, tag)) if !tag.holds('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        let version = digest.or(tag);
        if repository.is_empty() || version.as_ref().is_some_and(Glob::is_empty) {
            return Err(mistake());
        }
        Ok(Self { repository: in_full(repository), version })
    }

    /// Whether it takes this image.
    pub fn takes(&self, image: &ImageName) -> bool {
        self.repository.is_match(&image.repository)
            && self.version.as_ref().is_none_or(|version| version.is_match(&image.version))
    }
}

/// A repository's pattern with the host that engines put in front (distribution `reference/normalize.go`).
fn in_full(repository: Glob) -> Glob {
    let prefix = |text: &str| Glob::exactly(text).followed_by(&repository);
    match repository.cut_at('/') {
        _ if repository.begins_freely() => repository,
        None => prefix("docker.io/library/"),
        Some((host, rest))
            if matches!(host.text().as_deref(), Some("docker.io" | "index.docker.io")) =>
        {
            let library = if rest.holds('/') || rest.begins_freely() { "" } else { "library/" };
            Glob::exactly(&format!("docker.io/{library}")).followed_by(&rest)
        }
        // A pattern for the host has to be written out.
        Some((host, _)) if host.text().is_none_or(|host| is_host(&host)) => repository,
        Some(_) => prefix("docker.io/"),
    }
}

fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase)
}

impl ImageName {
    /// Reads a reference as engines do. `None` for what can only be an id, and for what is no reference.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with(text, "latest")
    }

    /// What an engine pulls or pushes for a name and the tag beside it. Without any tag these are all of them, which only a pattern for any
    /// tag takes. A digest in the name wins over a tag beside it (moby `images/create`, distribution `reference.WithTag`).
    pub fn transferred(text: &str, tag: &str) -> Option<Self> {
        let name = Self::parse_with(text, "")?;
        if name.version.contains(':') && !tag.contains(':') {
            return Some(name);
        }
        Some(name.with_version(tag))
    }

    fn parse_with(text: &str, usual: &str) -> Option<Self> {
        let is_id = |text: &str| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
        if text.is_empty() || is_id(text) || text.starts_with("sha256:") {
            return None;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        let version = digest.or(tag);
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
        if repository.is_empty() || version.is_some_and(str::is_empty) || !rest.chars().all(fits) {
            return None;
        }
        let repository = match repository.split_once('/') {
            None => format!("docker.io/library/{repository}"),
            Some(("docker.io" | "index.docker.io", rest)) => {
                format!("docker.io/{}", official(rest))
            }
            Some((host, _)) if is_host(host) => repository.to_owned(),
            Some(_) => format!("docker.io/{repository}"),
        };
        Some(Self { repository, version: version.unwrap_or(usual).to_owned() })
    }

    /// Whether both are of one repository, under whatever tag or digest.
    pub fn is_of_repository(&self, other: &Self) -> bool {
        self.repository == other.repository
    }

    /// The same repository under this tag or digest.
    #[must_use]
    pub fn with_version(self, version: &str) -> Self {
        if version.is_empty() { self } else { Self { version: version.to_owned(), ..self } }
    }
}

/// Whether an engine may take this for an id, or for the beginning of one, if no image has that name.
pub fn may_be_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    !digits.is_empty() && digits.len() <= 64 && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

fn official(rest: &str) -> String {
    if rest.contains('/') { rest.to_owned() } else { format!("library/{rest}") }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        match &self.version {
            None => Ok(()),
            Some(version) if version.holds(':') => write!(f, "@{version}"),
            Some(version) => write!(f, ":{version}"),
        }
    }
}

/// Reads a list of images, as the key `images` has it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn images(text: &str) -> Result<Vec<ImagePattern>, Vec<WordMistake>> {
    let one = |value: super::grammar::Value, shown: String| match <[Glob; 1]>::try_from(value.0) {
        Ok([glob]) => ImagePattern::of(&glob),
        Err(_) => Err(WordMistake::Image { given: shown }),
    };
    super::grammar::collected(
        super::grammar::values(text)
            .into_iter()
            .map(|it| it.and_then(|(it, shown)| one(it, shown))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, image: &str, want: bool) {
        let patterns = images(pattern).unwrap();
        let image = ImageName::parse(image).unwrap();
        assert_eq!(patterns.iter().any(|it| it.takes(&image)), want, "{pattern} {image:?}");
    }

    #[test]
    fn images_are_compared_in_full() {
        for (pattern, image) in [
            ("docker.io/library/*", "alpine"),
            ("docker.io/library/*", "alpine:3.20"),
            ("docker.io/library/*", "docker.io/alpine@sha256:ab"),
            ("docker.io/library/*", "index.docker.io/library/alpine"),
            ("docker.io/alpine", "alpine"),
            ("docker.io/*", "me/app"),
            ("alpine", "docker.io/library/alpine:3.20"),
            ("alpine:3.*", "alpine:3.20"),
            ("amir20/dozzle", "docker.io/amir20/dozzle:latest"),
            ("ghcr.io/me/*", "ghcr.io/me/a/b:1"),
            ("localhost:5000/app", "localhost:5000/app:2"),
            ("registry.local:5000/*", "registry.local:5000/app"),
            ("*", "anything/at:all"),
            ("*/app", "ghcr.io/me/app"),
            ("alpine@sha256:ab*", "alpine@sha256:abcd"),
            ("x, alpine", "alpine"),
        ] {
            check(pattern, image, true);
        }
        for (pattern, image) in [
            ("docker.io/library/*", "amir20/dozzle"),
            ("docker.io/library/*", "ghcr.io/library/alpine"),
            ("alpine", "me/alpine"),
            ("alpine", "ghcr.io/library/alpine"),
            ("alpine:3.20", "alpine"),
            ("alpine:3.20", "alpine:3.20@sha256:ab"),
            ("alpine:latest", "alpine:3"),
            ("localhost:5000/app", "app"),
        ] {
            check(pattern, image, false);
        }
        check("alpine:latest", "alpine", true);
        for id in ["", "sha256:abcd", &"a".repeat(64), "a b", "@sha256:ab", "x:"] {
            assert_eq!(ImageName::parse(id), None, "{id}");
        }
    }

    #[test]
    fn what_is_no_image_is_a_mistake() {
        for text in ["", "alpine:", "a b", ":1", "@x", "a,,b"] {
            assert!(images(text).is_err(), "{text}");
        }
        let shown: Vec<_> = images("alpine:3,ghcr.io/x/*,a@sha256:1")
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            ["docker.io/library/alpine:3", "ghcr.io/x/*", "docker.io/library/a@sha256:1"]
        );
    }
}

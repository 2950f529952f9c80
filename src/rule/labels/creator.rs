//! The label `sockwarden.creator`: who created a container or a service through the proxy.
//!
//! The format is permanent, because the label lives in the engine for as long as what it stands on: a list with commas of `service:PROJECT/NAME`,
//! `name:NAME`, `user:UID` and `address:ADDRESS`. What cannot be read names nobody, so whoever carries it has no rights.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

pub use super::keys::CREATOR_LABEL;

/// The labels by which Compose knows its containers.
pub const PROJECT_LABEL: &str = "com.docker.compose.project";
/// The same, for the service in its project.
pub const SERVICE_LABEL: &str = "com.docker.compose.service";

/// The longest label that is read, in bytes.
const MOST_BYTES: usize = 2048;
/// The longest name, in bytes; engines take none that are longer.
const MOST_NAME_BYTES: usize = 255;

/// Who created something: one client, or all those that share the address it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creator {
    /// These, each once.
    Makers(Box<[Maker]>),
    /// The label is there and cannot be read, which limits to nothing.
    Unreadable,
}

/// One client, in a form that is the same after it was created anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// The containers of this Compose service.
    Service(Service),
    /// The container with this name.
    Name(String),
    /// This user, on our Unix socket.
    User(u32),
    /// Whoever comes from this address and is no container.
    Address(IpAddr),
}

/// A service of Compose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    project: String,
    name: String,
}

impl Creator {
    /// These makers, each once.
    pub fn of(makers: impl IntoIterator<Item = Maker>) -> Self {
        let mut all = Vec::new();
        for maker in makers {
            if !all.contains(&maker) {
                all.push(maker);
            }
        }
        if all.is_empty() { Self::Unreadable } else { Self::Makers(all.into()) }
    }

    /// Reads a label's value.
    pub fn parse(value: &str) -> Self {
        if value.len() > MOST_BYTES {
            return Self::Unreadable;
        }
        let makers: Option<Vec<_>> = value.split(',').map(Maker::parse).collect();
        makers.map_or(Self::Unreadable, Self::of)
    }

    /// Who it was; nobody if the label cannot be read.
    pub fn makers(&self) -> &[Maker] {
        match self {
            Self::Makers(makers) => makers,
            Self::Unreadable => &[],
        }
    }
}

impl fmt::Display for Creator {
    /// As it is written in the label. What cannot be read is printed as something that cannot be read either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::Unreadable {
            return f.write_str("unknown");
        }
        for (index, maker) in self.makers().iter().enumerate() {
            write!(f, "{}{maker}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Maker {
    /// Reads one entry. Only what would be printed like this is one.
    fn parse(text: &str) -> Option<Self> {
        let (kind, value) = text.split_once(':')?;
        let maker = match kind {
            "service" => {
                let (project, name) = value.split_once('/')?;
                Self::Service(Service::new(project, name)?)
            }
            "name" if is_plain(value) => Self::Name(value.to_owned()),
            "user" => Self::User(value.parse().ok()?),
            "address" => Self::Address(value.parse::<IpAddr>().ok()?.to_canonical()),
            _ => return None,
        };
        (maker.to_string() == text).then_some(maker)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "service:{service}"),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Address(address) => write!(f, "address:{address}"),
        }
    }
}

impl Service {
    /// The service with this name in this project; `None` if a list could not tell where one of them ends.
    pub fn new(project: &str, name: &str) -> Option<Self> {
        let fits = is_plain(project) && is_plain(name);
        fits.then(|| Self { project: project.to_owned(), name: name.to_owned() })
    }

    /// The service that these labels name.
    pub fn of(labels: &BTreeMap<String, Option<String>>) -> Option<Self> {
        let text = |key: &str| labels.get(key)?.as_deref();
        Self::new(text(PROJECT_LABEL)?, text(SERVICE_LABEL)?)
    }

    /// Whether these labels of an image say a part of it, so that the container's may come from there.
    pub fn is_partly_in(&self, image: &BTreeMap<String, Option<String>>) -> bool {
        let says =
            |key: &str, own: &str| image.get(key).is_some_and(|it| it.as_deref() == Some(own));
        says(PROJECT_LABEL, &self.project) || says(SERVICE_LABEL, &self.name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

/// Whether a label is one that says who created a container, or as what Compose knows it.
pub fn is_lineage(key: &str) -> bool {
    matches!(key, CREATOR_LABEL | PROJECT_LABEL | SERVICE_LABEL)
}

/// A name in the characters that engines and Compose give them, none of which separates anything in a label.
fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.len() <= MOST_NAME_BYTES
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, makers: usize) {
        let creator = Creator::parse(text);
        assert_eq!(creator.makers().len(), makers, "{text}");
        if makers > 0 {
            assert_eq!(creator.to_string(), text);
            assert_eq!(Creator::parse(&creator.to_string()), creator);
        }
    }

    /// The format is permanent: labels of today must be read by every later version.
    #[test]
    fn what_is_printed_is_read() {
        check("service:web/ci", 1);
        check("service:a-b_c/d.e-1,name:x_1.y", 2);
        check("name:ci,user:0,user:4294967295,address:10.0.0.2,address:fd00::2", 5);
        let service = Maker::Service(Service::new("web", "ci").unwrap());
        let all = [service.clone(), Maker::Name("x".to_owned()), service];
        assert_eq!(Creator::of(all).to_string(), "service:web/ci,name:x");
    }

    #[test]
    fn what_cannot_be_read_names_nobody() {
        for text in [
            "",
            ",",
            "name:",
            "name:a,",
            ",name:a",
            "name:a,,name:b",
            "name:a, name:b",
            "Name:a",
            "entry:x",
            "ci",
            "name",
            "name:-a",
            "name:a/b",
            "name:a b",
            "name:ä",
            "service:web",
            "service:/ci",
            "service:web/",
            "service:web/ci/x",
            "user:",
            "user:x",
            "user:-1",
            "user:+1",
            "user:01",
            "user:4294967296",
            "address:",
            "address:10.0.0",
            "address:010.0.0.1",
            "address:FD00::2",
            "address:::ffff:10.0.0.2",
            "name:a,what:ever",
            "unknown",
        ] {
            check(text, 0);
        }
        check(&format!("name:{}", "a".repeat(256)), 0);
        check(&vec![format!("name:{}", "a".repeat(255)); 9].join(","), 0);
        assert_eq!(Creator::of([]), Creator::Unreadable);
        assert_eq!(Creator::parse(&Creator::Unreadable.to_string()), Creator::Unreadable);
    }

    #[test]
    fn a_service_is_known_by_labels_that_its_image_lacks() {
        let labels = |project: &str, service: &str| -> BTreeMap<String, Option<String>> {
            [(PROJECT_LABEL, project), (SERVICE_LABEL, service)]
                .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
                .into()
        };
        let service = Service::of(&labels("web", "ci")).unwrap();
        assert_eq!(service.to_string(), "web/ci");
        assert!(
            service.is_partly_in(&labels("web", "ci")) && service.is_partly_in(&labels("x", "ci"))
        );
        assert!(
            !service.is_partly_in(&labels("x", "y")) && !service.is_partly_in(&BTreeMap::new())
        );
        for (project, name) in
            [("", "ci"), ("web", ""), ("we/b", "ci"), ("web", "c,i"), ("w:b", "c i")]
        {
            assert_eq!(Service::of(&labels(project, name)), None, "{project} {name}");
        }
        assert_eq!(Service::of(&BTreeMap::new()), None);
    }
}

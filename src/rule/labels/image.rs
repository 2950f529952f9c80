//! Labels that a container's image has too, with the same value. The engine does not say whether the container was given them as well. So they
//! give nothing, lest an image grant itself the engine; and they take nothing away that other labels give, or whoever builds an image
//! could lift a limit by repeating it.

use std::collections::BTreeMap;

use super::keys::{self, Key};
use super::{HostAccess, LabelError, short};

/// What counts of a container's labels.
#[derive(Debug, Default)]
pub struct Counted {
    /// The labels that count.
    pub labels: BTreeMap<String, String>,
    /// The keys of those that do not.
    pub passed_over: Vec<String>,
    /// Those that would have to count and not to count, each as a mistake.
    pub unclear: Vec<LabelError>,
}

impl Counted {
    /// What counts of these labels of a container from an image with those.
    pub fn of(
        labels: impl IntoIterator<Item = (String, String)>,
        image: &BTreeMap<String, Option<String>>,
        prefixes: &[String],
    ) -> Self {
        let is_shared = |(key, value): &(String, String)| {
            image.get(key).and_then(Option::as_ref) == Some(value)
        };
        let (shared, own): (Vec<_>, Vec<_>) = labels.into_iter().partition(is_shared);
        let mut counted = Self { labels: own.into_iter().collect(), ..Self::default() };
        let gives = !counted.labels.is_empty();
        for (key, value) in shared {
            match keys::read(&key, prefixes).filter(|_| gives) {
                // Exceptions give as well.
                Some(Key::HostAccess)
                    if value.contains([':', ',']) || value.contains("network") =>
                {
                    counted.unclear.push(LabelError::InImage { key: short(&key) });
                }
                Some(Key::HostAccess)
                    if HostAccess::parse(value.trim()) != Some(HostAccess::Allow) =>
                {
                    counted.labels.insert(key, value);
                }
                // It only limits, and so may what cannot be read, yet or at all.
                Some(Key::Images | Key::NotYet(_) | Key::Slip(_)) => {
                    counted.labels.insert(key, value);
                }
                // Directories limit where everything may be mounted, and give where nothing may.
                Some(Key::BindMountFrom) => {
                    counted.unclear.push(LabelError::InImage { key: short(&key) });
                }
                _ => counted.passed_over.push(key),
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &[(&str, &str)], shared: &[(&str, &str)], counts: &[&str], unclear: &[&str]) {
        let owned = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let prefixes = ["socket-proxy", "sockwarden"].map(str::to_owned);
        let all: BTreeMap<_, _> = owned(own).into_iter().chain(owned(shared)).collect();
        let image = owned(shared).into_iter().map(|(key, value)| (key, Some(value))).collect();
        let counted = Counted::of(all, &image, &prefixes);
        assert_eq!(counted.labels.keys().collect::<Vec<_>>(), counts, "{own:?} {shared:?}");
        let mistakes: Vec<_> = counted.unclear.iter().map(ToString::to_string).collect();
        assert_eq!(mistakes.len(), unclear.len(), "{mistakes:?}");
        for (mistake, key) in mistakes.iter().zip(unclear) {
            assert!(mistake.contains(&format!("label `{key}`")), "{mistake}");
        }
        let all = counted.labels.len() + counted.passed_over.len() + counted.unclear.len();
        assert_eq!(all, own.len() + shared.len());
    }

    #[test]
    fn an_image_gives_nothing_and_lifts_nothing() {
        let get = ("sockwarden.allow.get", "/a");
        let deny = ("sockwarden.hostaccess", "deny");
        let from = ("sockwarden.bindmountfrom", "/srv");
        // Nothing is given, so nothing needs a limit.
        check(&[], &[get, deny, from], &[], &[]);
        check(&[get], &[], &[get.0], &[]);
        check(&[get], &[("sockwarden.allow.post", ".*")], &[get.0], &[]);
        check(&[get], &[("sockwarden.hostaccess", "allow")], &[get.0], &[]);
        check(&[get], &[("sockwarden.allow.labels", "true")], &[get.0], &[]);
        check(&[get], &[deny], &[get.0, deny.0], &[]);
        check(&[get], &[("sockwarden.allow", "read")], &[get.0], &[]);
        let images = ("sockwarden.images", "docker.io/library/*");
        check(&[get], &[images], &[get.0, images.0], &[]);
        // A limit that is written wrong stays a mistake.
        let slip = ("sockwarden.image", "docker.io/library/*");
        check(&[get], &[slip], &[get.0, slip.0], &[]);
        let exception = ("sockwarden.hostaccess", "cap:NET_ADMIN");
        check(&[get], &[exception], &[get.0], &[exception.0]);
        check(
            &[get],
            &[("socket-proxy.hostaccess", " Deny")],
            &["socket-proxy.hostaccess", get.0],
            &[],
        );
        check(&[get], &[from], &[get.0], &[from.0]);
        check(
            &[get],
            &[("socket-proxy.allow.bindmountfrom", "/")],
            &[get.0],
            &["socket-proxy.allow.bindmountfrom"],
        );
    }
}

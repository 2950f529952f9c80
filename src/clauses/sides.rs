//! The two sides of a comparison: what a create asks for, and the container that it is to replace; and when one value is the other.

use crate::request::json::{Json, Object};

use super::known::{Shape, find};
use super::past::Remembered;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    /// The body of the create.
    pub(super) new: &'a Json,
    pub(super) old: &'a Remembered,
    pub(super) facts: &'a Facts,
}

/// What has to be known of the engine and of the proxy for it.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Containers of this engine are in the host's cgroup namespace by default.
    pub(super) host_cgroups: bool,
    /// Names that the new one uses for other containers, each with the ids that it stands for.
    pub(super) ids: Vec<(String, Vec<String>)>,
    /// The prefixes of labels that carry rights.
    pub(super) prefixes: Vec<String>,
    /// Whether labels of an image carry rights too.
    pub(super) image_labels_count: bool,
}

impl<'a> Sides<'a> {
    /// The old container's `Config`.
    pub(super) fn config(&self) -> Option<&'a Json> {
        self.old.inspect.field("Config")
    }

    /// The old container's `HostConfig`.
    pub(super) fn host_config(&self) -> Option<&'a Json> {
        self.old.inspect.field("HostConfig")
    }

    /// A setting of the old container's image, which a create that leaves it out inherits.
    pub(super) fn inherited(&self, name: &str) -> Option<&'a Json> {
        self.old.image.as_ref()?.field("Config")?.field(name)
    }

    /// The networks that the old container was on, with its settings on each.
    pub(super) fn networks(&self) -> impl Iterator<Item = (&'a str, &'a Json)> + use<'a> {
        let networks =
            self.old.inspect.field("NetworkSettings").and_then(|it| it.field("Networks"));
        networks.and_then(Json::as_object).into_iter().flat_map(Object::iter)
    }

    /// What the old container mounted.
    pub(super) fn mounts(&self) -> &'a [Json] {
        self.old.inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default()
    }
}

/// A value that says something.
pub(super) fn set(value: Option<&Json>) -> Option<&Json> {
    value.filter(|value| !value.is_zero())
}

/// Whether both say the same, where what is empty says nothing. A field that is not in the shape is never the same.
pub(super) fn same(shape: &Shape, new: Option<&Json>, old: Option<&Json>) -> bool {
    match (set(new), set(old)) {
        (None, None) => true,
        (Some(new), Some(old)) => alike(shape, new, old),
        _ => false,
    }
}

fn alike(shape: &Shape, new: &Json, old: &Json) -> bool {
    match (shape, new, old) {
        (Shape::Value | Shape::Judged, Json::Array(new), Json::Array(old)) => new == old,
        (Shape::Value | Shape::Judged, Json::Object(_), _) => false,
        (Shape::Value | Shape::Judged, ..) => new == old,
        (Shape::Each(inner), Json::Array(new), Json::Array(old)) => {
            new.len() == old.len()
                && new.iter().zip(old).all(|(new, old)| same(inner, Some(new), Some(old)))
        }
        (Shape::Members(inner), Json::Object(new), Json::Object(old)) => {
            new.iter().count() == old.iter().count()
                && new.iter().all(|(key, value)| {
                    entry(old, key).is_some_and(|old| same(inner, Some(value), Some(old)))
                })
        }
        (Shape::Fields(table), Json::Object(fields), Json::Object(others)) => {
            let is_same = |key: &str| match find(&[table], key) {
                Some(shape) => same(shape, new.field(key), old.field(key)),
                None => set(new.field(key)).is_none() && set(old.field(key)).is_none(),
            };
            fields.iter().chain(others.iter()).all(|(key, _)| is_same(key))
        }
        _ => false,
    }
}

/// The value under exactly this key.
pub(super) fn entry<'a>(of: &'a Object, key: &str) -> Option<&'a Json> {
    of.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The members of an object that may be missing.
pub(super) fn members(of: Option<&Json>) -> impl Iterator<Item = (&str, &Json)> {
    of.and_then(Json::as_object).into_iter().flat_map(Object::iter)
}

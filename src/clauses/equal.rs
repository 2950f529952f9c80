//! Whether a create makes the container again that was there: field by field, by its column.

use crate::request::json::{Json, fold, folds_alike};
use crate::text::printable;

use super::columns::{CONFIG, Column, Columns, HOST_CONFIG};
use super::known::Shape;
use super::settings::linked;
use super::sides::{Sides, members, same, set};
use super::values::texts;

/// Where a create differs from the old container; no value of either is told.
pub(super) type Difference = String;

/// Compares a create with the container that it is to replace.
///
/// # Errors
/// The first field that is neither equal nor less.
pub(super) fn equals(sides: &Sides<'_>) -> Result<(), Difference> {
    if let Some(place) = too_long(sides.new, "the body") {
        return Err(place);
    }
    compare(sides, HOST_CONFIG, sides.new.field("HostConfig"), sides.host_config(), "HostConfig.")?;
    compare(sides, CONFIG, Some(sides.new), sides.config(), "")?;
    let networking = sides.new.field("NetworkingConfig");
    for (key, value) in members(networking) {
        if !folds_alike(key, "EndpointsConfig") && !value.is_zero() {
            return Err(format!("`NetworkingConfig.{}`", printable(key)));
        }
    }
    let endpoints = networking.and_then(|it| it.field("EndpointsConfig"));
    members(endpoints).try_for_each(|(network, endpoint)| {
        let at = format!("NetworkingConfig.EndpointsConfig.{}", printable(network));
        equals_endpoint(sides, network, Some(endpoint), &at, "")
    })
}

/// The most entries of a list, and of an object. Each may be compared with each of the old container's, for each container that waits for its
/// replacement. What is longer is not remembered either, so it is not taken down.
const MOST_ENTRIES: usize = 256;
const MOST_MEMBERS: usize = 1024;

/// A list or an object that is too long to be compared, in words.
fn too_long(value: &Json, at: &str) -> Option<Difference> {
    match value {
        Json::Array(values) if values.len() > MOST_ENTRIES => {
            Some(format!("`{at}`, a list of more than {MOST_ENTRIES} entries,"))
        }
        Json::Array(values) => values.iter().find_map(|value| too_long(value, at)),
        Json::Object(object) if object.iter().nth(MOST_MEMBERS).is_some() => {
            Some(format!("`{at}`, an object of more than {MOST_MEMBERS} entries,"))
        }
        Json::Object(object) => {
            object.iter().find_map(|(key, value)| too_long(value, &printable(key)))
        }
        _ => None,
    }
}

fn compare(
    sides: &Sides<'_>,
    columns: Columns,
    new: Option<&Json>,
    old: Option<&Json>,
    at: &str,
) -> Result<(), Difference> {
    let is_object = |of: Option<&Json>| of.is_none_or(|it| it.as_object().is_some());
    if !is_object(new) || !is_object(old) {
        return Err(format!("`{}`", at.trim_end_matches('.')));
    }
    for (name, column) in columns {
        let (new, old) = (new.and_then(|it| it.field(name)), old.and_then(|it| it.field(name)));
        if !holds(sides, *column, name, new, old) {
            return Err(format!("`{at}{name}`"));
        }
    }
    // What nobody decided about is never equal, in whichever of the two it stands.
    let is_known = |key: &str| columns.iter().any(|(name, _)| folds_alike(name, key));
    // Of these an empty list says more than none: it hides and protects nothing. Engines up to 26 read them beside `HostConfig` too.
    let empty_counts = |key: &str| matches!(&*fold(key), "maskedpaths" | "readonlypaths");
    let says_nothing = |key: &str, value: &Json| match value {
        Json::Array(_) if empty_counts(key) => false,
        value => value.is_zero(),
    };
    match members(new)
        .chain(members(old))
        .find(|(key, value)| !is_known(key) && !says_nothing(key, value))
    {
        None => Ok(()),
        Some((key, _)) => Err(format!("`{at}{}`", printable(key))),
    }
}

fn holds(
    sides: &Sides<'_>,
    column: Column,
    name: &str,
    new: Option<&Json>,
    old: Option<&Json>,
) -> bool {
    match column {
        Column::Same(shape) => same(shape, new, old),
        Column::Inherited(shape) => same(shape, set(new).or_else(|| sides.inherited(name)), old),
        Column::Exact => new == old,
        Column::AtMost => is_switch(new) && (set(new).is_none() || set(old).is_some()),
        Column::AtLeast => is_switch(new) && (set(new).is_some() || set(old).is_none()),
        Column::Some(shape) => some_of(shape, new, old),
        Column::SameTexts => {
            let sorted = |of: Option<&Json>| {
                let mut all: Vec<_> =
                    of.map(texts).unwrap_or_default().into_iter().map(str::to_owned).collect();
                all.sort_unstable();
                all
            };
            sorted(new) == sorted(old)
        }
        Column::OrLess => set(new).is_none() || same(&Shape::Value, new, old),
        Column::Anything | Column::Elsewhere => true,
        Column::By(holds) => holds(sides),
    }
}

fn is_switch(value: Option<&Json>) -> bool {
    matches!(value, None | Some(Json::Bool(_)))
}

fn some_of(shape: &Shape, new: Option<&Json>, old: Option<&Json>) -> bool {
    let Some(new) = set(new) else { return true };
    let Some(new) = new.as_array() else { return false };
    let old = old.and_then(Json::as_array).unwrap_or_default();
    new.iter().all(|new| old.iter().any(|old| same(shape, Some(new), Some(old))))
}

/// Compares a place on a network with the one that the old container had there. The container that is connected may be found there under this name
/// of its own as well.
///
/// # Errors
/// The first field that is neither equal nor less.
pub(super) fn equals_endpoint(
    sides: &Sides<'_>,
    network: &str,
    endpoint: Option<&Json>,
    at: &str,
    own_name: &str,
) -> Result<(), Difference> {
    let is_it = |name: &str, place: &Json| {
        let id = place.field("NetworkID").and_then(Json::as_str).unwrap_or_default();
        name == network
            || (!id.is_empty() && id == network)
            || (network == "default" && name == "bridge")
    };
    let Some((_, old)) = sides.networks().find(|(name, place)| is_it(name, place)) else {
        return Err(format!("`{at}`"));
    };
    let Some(endpoint) = set(endpoint) else { return driver_options(None, old, at) };
    if endpoint.as_object().is_none() {
        return Err(format!("`{at}`"));
    }
    let mut names: Vec<&str> = ["Aliases", "DNSNames"]
        .into_iter()
        .flat_map(|field| old.field(field).map(texts).unwrap_or_default())
        .collect();
    names.extend([&*sides.old.name, own_name]);
    for (key, value) in members(Some(endpoint)) {
        let told = || set(old.field(key)).is_some_and(|old| old == value);
        let fits = value.is_zero()
            || match &*fold(key) {
                "aliases" | "dnsnames" => texts(value).iter().all(|name| names.contains(name)),
                "driveropts" | "gwpriority" => true,
                "ipamconfig" => same_addresses(Some(value), old.field("IPAMConfig")),
                "links" => linked(Some(value)).is_subset(&linked(old.field("Links"))),
                // A client sends back what it was told, and some engines read of it.
                "globalipv6address" | "ipaddress" | "macaddress" | "networkid" => told(),
                // Nobody reads these of a request.
                "endpointid"
                | "gateway"
                | "globalipv6prefixlen"
                | "ipprefixlen"
                | "ipv6gateway" => value.as_object().is_none() && value.as_array().is_none(),
                _ => false,
            };
        if !fits {
            return Err(format!("`{at}.{}`", printable(key)));
        }
    }
    driver_options(Some(endpoint), old, at)
}

/// The options of the network's driver are the same; they may limit.
fn driver_options(new: Option<&Json>, old: &Json, at: &str) -> Result<(), Difference> {
    for (name, shape) in
        [("DriverOpts", Shape::Members(&Shape::Value)), ("GwPriority", Shape::Value)]
    {
        if !same(&shape, new.and_then(|it| it.field(name)), old.field(name)) {
            return Err(format!("`{at}.{name}`"));
        }
    }
    Ok(())
}

fn same_addresses(new: Option<&Json>, old: Option<&Json>) -> bool {
    const ADDRESSES: Shape = Shape::Fields(&[(
        "gives an address",
        &[
            ("IPv4Address", Shape::Value),
            ("IPv6Address", Shape::Value),
            ("LinkLocalIPs", Shape::Value),
        ],
    )]);
    same(&ADDRESSES, new, old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::json::Keys;

    #[test]
    fn what_is_too_long_to_be_compared_is_named() {
        let binds = |count: usize| {
            let text = format!(
                r#"{{"HostConfig":{{"Binds":[{}]}}}}"#,
                vec![r#""/a:/b""#; count].join(",")
            );
            too_long(&Json::parse(text.as_bytes(), Keys::Fields).unwrap(), "the body")
        };
        assert_eq!(binds(MOST_ENTRIES), None);
        let told = binds(MOST_ENTRIES + 1).unwrap();
        assert_eq!(told, "`Binds`, a list of more than 256 entries,");
        let members: Vec<String> = (0..=MOST_MEMBERS).map(|it| format!(r#""{it}":{{}}"#)).collect();
        let text = format!(r#"{{"ExposedPorts":{{{}}}}}"#, members.join(","));
        let body = Json::parse(text.as_bytes(), Keys::Fields).unwrap();
        assert!(too_long(&body, "the body").unwrap().starts_with("`ExposedPorts`, an object"));
    }
}

//! What the values of single fields may say without reaching past the container.

use crate::request::json::{Json, Object};
use crate::text::printable;

use super::fields::LOG_CONFIG;
use super::known::{DEFAULT_CAPABILITIES, LOG_DRIVERS, LOG_OPTIONS, Shape, holds_known};
use super::violation::{Clause, Verdict, Violation, host, violation};

/// The members of an object.
pub(super) fn fields<'a>(
    value: &'a Json,
    at: &str,
) -> Result<impl Iterator<Item = (&'a str, &'a Json)> + use<'a>, Violation> {
    let object = value.as_object();
    object.map(Object::iter).ok_or_else(|| {
        violation(Clause::Unclear, &format!("`{}`", at.trim_matches('`')), "is no object; send one")
    })
}

/// The values of an array; none where it is absent.
pub(super) fn array<'a>(value: Option<&'a Json>, at: &str) -> Result<&'a [Json], Violation> {
    match value {
        None => Ok(&[]),
        Some(value) => value.as_array().ok_or_else(|| {
            violation(
                Clause::Unclear,
                &format!("`{}`", at.trim_matches('`')),
                "is no array; send one",
            )
        }),
    }
}

/// The texts of a list that old engines also take as a single string (moby `strslice`), anything else as a text that is on no list.
pub(super) fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::Array(values) => values.iter().map(|value| value.as_str().unwrap_or("?")).collect(),
        Json::Null => Vec::new(),
        value => vec![value.as_str().unwrap_or("?")],
    }
}

pub(super) fn paths(value: &Json, needed: &[&str], place: &str) -> Verdict {
    let given = texts(value);
    if *value == Json::Null || needed.iter().all(|path| given.contains(path)) {
        return Ok(());
    }
    Err(host(place, "opens kernel files that engines hide or protect"))
}

/// `more` are capabilities that may be added besides.
pub(super) fn capabilities(value: &Json, more: &[String], place: &str) -> Verdict {
    for capability in texts(value) {
        let upper = capability.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if !DEFAULT_CAPABILITIES.contains(&name) && !more.iter().any(|it| it == name) {
            let problem = format!("adds `{}` to the usual capabilities", printable(capability));
            return Err(host(place, &problem));
        }
    }
    Ok(())
}

/// The NVIDIA runtime opens devices by this variable where it is the default one.
pub(super) fn environment(value: &Json, place: &str) -> Verdict {
    let opens = |entry: &&str| {
        entry
            .strip_prefix("NVIDIA_VISIBLE_DEVICES=")
            .is_some_and(|devices| !matches!(devices, "" | "none" | "void"))
    };
    match texts(value).iter().find(|entry| opens(entry)) {
        Some(_) => Err(host(place, "opens devices with `NVIDIA_VISIBLE_DEVICES`")),
        None => Ok(()),
    }
}

/// CVE-2024-21626: a directory that is reached through a descriptor of the runtime lies outside the container.
pub(super) fn working_directory(directory: &str, place: &str) -> Verdict {
    let parts: Vec<_> = directory.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.as_slice() {
        ["proc", ..] => Err(host(place, "lies in `/proc`, from where links lead out")),
        ["dev", "fd" | "stdin" | "stdout" | "stderr", ..] => {
            Err(host(place, "is a link to a descriptor of the runtime, which may lead out"))
        }
        _ if parts.contains(&"..") => Err(host(place, "holds `..`; send the path it leads to")),
        _ => Ok(()),
    }
}

pub(super) fn security(value: &Json, place: &str) -> Verdict {
    for option in texts(value) {
        // Engines split at the first of the two.
        let (name, setting) = option.split_once(['=', ':']).unwrap_or((option, ""));
        let strengthens = match name {
            "no-new-privileges" => matches!(setting, "" | "true"),
            "apparmor" => setting == "docker-default",
            "seccomp" => setting == "builtin",
            "writable-cgroups" => setting == "false",
            _ => false,
        };
        if !strengthens {
            let problem = format!("weakens or replaces a protection (`{}`)", printable(option));
            return Err(host(place, &problem));
        }
    }
    Ok(())
}

/// The kernel parameters that belong to a container's own network and IPC namespaces (moby `opts`, runc `libcontainer/configs/validate`).
pub(super) fn sysctls(value: &Json, place: &str) -> Verdict {
    for (name, _) in fields(value, place)? {
        let own = name.starts_with("net.")
            || name.starts_with("fs.mqueue.")
            || matches!(
                name,
                "kernel.msgmax"
                    | "kernel.msgmnb"
                    | "kernel.msgmni"
                    | "kernel.sem"
                    | "kernel.shmall"
                    | "kernel.shmmax"
                    | "kernel.shmmni"
                    | "kernel.shm_rmid_forced"
            );
        if !own {
            let problem = format!("sets `{}`, which is not the container's own", printable(name));
            return Err(host(place, &problem));
        }
    }
    Ok(())
}

/// A log driver with an address makes the host connect to it, also to a Unix socket of the host.
pub(super) fn log_config(value: &Json, driver: &str, options: &str, place: &str) -> Verdict {
    holds_known(value, &Shape::Fields(LOG_CONFIG), place)?;
    let (driver, options) = (value.field(driver), value.field(options));
    let name = driver.map_or("", |driver| driver.as_str().unwrap_or("?"));
    if !LOG_DRIVERS.contains(&name) {
        let problem = format!(
            "names the log driver `{}`, with which the host connects elsewhere",
            printable(name)
        );
        return Err(host(place, &problem));
    }
    for (option, _) in options.and_then(Json::as_object).into_iter().flat_map(Object::iter) {
        if !LOG_OPTIONS.contains(&option) {
            let problem = format!("has the log option `{}`", printable(option));
            return Err(host(place, &problem));
        }
    }
    Ok(())
}

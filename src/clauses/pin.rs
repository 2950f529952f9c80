//! Judged by id, sent by id: the id that was found takes the place of a name that was looked up, so that nobody can make the name mean
//! something else between the look and the engine.

use crate::request::Head;
use crate::request::json::{Json, Object};

use super::answers::Answers;
use super::protected::is_full_id;
use super::question::Question;
use super::references::{Config, Reference, Role, Site, references};

/// Replaces every reference to a container that `answers` resolve.
pub fn pin(head: &mut Head, mut body: Option<&mut Json>, answers: &Answers) {
    // What cannot be read as a reference was refused before.
    let edits: Vec<(Site, String)> = references(head, body.as_deref())
        .into_iter()
        .filter_map(|reference| {
            let reference = reference.ok()?;
            Some((reference.site, pinned(&reference, answers)?))
        })
        .collect();
    for (site, text) in edits {
        match site {
            Site::Path => {
                if let Some(place) = head.operation.object(head.target.path()) {
                    head.target.pin(place, &text);
                }
            }
            Site::Parameter(name) => head.target.pin_parameter(name, &text),
            Site::Field { of, name, index } => {
                let config = body.as_deref_mut().and_then(|body| config(body, of));
                let value = config.and_then(|config| config.field_mut(name));
                let value = match (value, index) {
                    (Some(Json::Array(values)), Some(index)) => values.get_mut(index),
                    (value, _) => value,
                };
                if let Some(Json::String(value)) = value {
                    *value = text;
                }
            }
            Site::Key => {}
        }
    }
}

/// How a reference is written with the id that its name means; `None` if the engine was not asked, or it names no container.
fn pinned(reference: &Reference<'_>, answers: &Answers) -> Option<String> {
    let inspect = answers.get(&Question::Container(reference.name.to_owned()))??;
    let id = inspect.field("Id").and_then(Json::as_str).filter(|id| is_full_id(id))?;
    match reference.role {
        Role::Target | Role::Committed | Role::Member | Role::Mounts { mode: None } => {
            Some(id.to_owned())
        }
        Role::Namespace(_) => Some(format!("container:{id}")),
        Role::Mounts { mode: Some(mode) } => Some(format!("{id}:{mode}")),
        Role::Link { alias } => Some(format!("{id}:{alias}")),
        Role::Network | Role::Endpoint(_) => None,
    }
}

fn config(body: &mut Json, of: Config) -> Option<&mut Object> {
    let Json::Object(body) = body else { return None };
    match of {
        Config::Top => Some(body),
        Config::HostConfig => match body.field_mut("HostConfig") {
            Some(Json::Object(config)) => Some(config),
            _ => None,
        },
    }
}

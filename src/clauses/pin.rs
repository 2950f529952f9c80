//! Judged by id, sent by id: a name that was looked up is replaced by the id that was found, so that nobody can make it mean something
//! else between the look and the engine.

use crate::request::Head;
use crate::request::json::{Json, Object};

use super::{Answers, Question};

/// Replaces every reference to a container that `answers` resolve.
pub fn pin(head: &mut Head, body: Option<&mut Json>, answers: &Answers) {
    if let Some(place) = head.operation.object(head.target.path())
        && let Some(id) = head.target.path().get(place.clone()).and_then(|name| id(name, answers))
        && head.operation.template().is_some_and(|template| template.starts_with("/containers/"))
    {
        head.target.pin(place, id);
    }
    if head.operation.id() == "ImageCommit"
        && let Some(id) = head.target.query().first("container").and_then(|name| id(name, answers))
    {
        head.target.pin_parameter("container", id);
    }
    let Some(body) = body else { return };
    match head.operation.id() {
        "ContainerCreate" => {
            pin_config(body, answers);
            if let Json::Object(object) = body
                && let Some(config) = object.field_mut("HostConfig")
            {
                pin_config(config, answers);
            }
        }
        "NetworkConnect" | "NetworkDisconnect" => {
            if let Json::Object(object) = body
                && let Some(Json::String(name)) = object.field_mut("Container")
                && let Some(id) = id(name, answers)
            {
                id.clone_into(name);
            }
        }
        _ => {}
    }
}

fn pin_config(config: &mut Json, answers: &Answers) {
    let Json::Object(config) = config else { return };
    for mode in super::identity::MODES {
        if let Some(Json::String(mode)) = config.field_mut(mode)
            && let Some(id) = mode.strip_prefix("container:").and_then(|name| id(name, answers))
        {
            *mode = format!("container:{id}");
        }
    }
    for from in strings(config, "VolumesFrom") {
        let (name, mode) = from.split_once(':').unwrap_or((from, ""));
        if let Some(id) = id(name, answers) {
            let separator = if mode.is_empty() { "" } else { ":" };
            *from = format!("{id}{separator}{mode}");
        }
    }
    for link in strings(config, "Links") {
        let name = link.split(':').next().unwrap_or_default().trim_start_matches('/');
        let alias = link.split_once(':').map_or(name, |(_, alias)| alias);
        if let Some(id) = id(name, answers) {
            *link = format!("{id}:{alias}");
        }
    }
}

fn strings<'a>(config: &'a mut Object, field: &str) -> impl Iterator<Item = &'a mut String> {
    let values = match config.field_mut(field) {
        Some(Json::Array(values)) => values.as_mut_slice(),
        _ => &mut [],
    };
    values.iter_mut().filter_map(|value| match value {
        Json::String(text) => Some(text),
        _ => None,
    })
}

fn id<'a>(name: &str, answers: &'a Answers) -> Option<&'a str> {
    let inspect = answers.get(&Question::Container(name.to_owned()))??;
    inspect.field("Id").and_then(Json::as_str).filter(|id| super::identity::is_full_id(id))
}

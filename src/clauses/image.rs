//! What a container inherits from its image: what a create leaves out is in force all the same.

use crate::request::json::Json;

use super::inquiry::{Inquiry, Veil};
use super::question::Question;
use super::values::{environment, texts, working_directory};
use super::violation::{Verdict, host};

/// Judges the image's configuration where the create does not override it.
pub(super) fn inherited_stays_inside(inquiry: &mut Inquiry<'_>) -> Verdict {
    const PLACE: &str = "`Image`";
    const PROBLEM: &str = "brings settings with it that reach the host; override them";
    let image = inquiry.field("Image").and_then(Json::as_str).unwrap_or_default();
    if !inquiry.denies_host() || image.is_empty() {
        return Ok(());
    }
    let veil = Veil { place: PLACE, problem: PROBLEM };
    inquiry.look(&Question::Image(image.to_owned()), veil, |inquiry, image| {
        let Some(config) = image.and_then(|image| image.field("Config")) else { return Ok(()) };
        let is_set = |name: &str| inquiry.field(name).is_some_and(|value| !value.is_zero());
        if !is_set("WorkingDir") {
            let directory = config.field("WorkingDir").and_then(Json::as_str).unwrap_or_default();
            working_directory(directory, "the image's `WorkingDir`")?;
        }
        // A variable that is given takes the place of the image's.
        let given = inquiry.field("Env").map(texts).unwrap_or_default();
        let is_given = |name: &str| {
            given.iter().any(|entry| entry.split('=').next() == Some(name) && entry.contains('='))
        };
        for entry in config.field("Env").and_then(Json::as_array).unwrap_or_default() {
            let text = entry.as_str().unwrap_or_default();
            if text.is_empty() {
                return Err(host(PLACE, "sets a variable that is too long to be judged"));
            }
            if !is_given(text.split('=').next().unwrap_or_default()) {
                environment(entry, "the image's `Env`")?;
            }
        }
        Ok(())
    })
}

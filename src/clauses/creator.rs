//! Who created a container or a service, written on it where rights come from labels, so that it never has more rights than its creator.
//!
//! It is written last, into the body that was judged, over whatever the client sent under that key. Images never carry it: whoever starts one
//! would be limited by a stranger.

use crate::request::json::{Json, Keys, Object};
use crate::request::{Head, Operation};
use crate::rule::labels::creator::{CREATOR_LABEL, Creator};

use super::decisions::{Decision, Gives, Limited, Marks};
use super::terms::Terms;

/// Whether somebody has to know who asks for this operation, besides what it may do.
pub fn needs_creator(operation: Operation) -> bool {
    let decision = Decision::of(operation);
    let starts =
        matches!(decision.limited, Limited::Start | Limited::Restart | Limited::ContainerUpdate);
    decision.marks != Marks::No || decision.gives != Gives::No || starts
}

/// Writes who asks on what a request creates, unless it may set such labels itself.
pub fn mark(head: &Head, body: &mut Json, terms: &Terms) {
    if terms.protected.is_none() || terms.may_label() {
        return;
    }
    let marks = Decision::of(head.operation).marks;
    let Json::Object(body) = body else { return };
    // What is created for somebody who was not named has no rights.
    let creator = terms.creator.as_ref().unwrap_or(&Creator::Unreadable);
    match marks {
        Marks::No => {}
        Marks::Container => sign(body, creator),
        Marks::Service => {
            sign(body, creator);
            let task = body.field_mut("TaskTemplate");
            if let Some(Json::Object(task)) = task
                && let Some(Json::Object(container)) = task.field_mut("ContainerSpec")
            {
                sign(container, creator);
            }
        }
    }
}

/// Sets the label of what this object describes.
fn sign(of: &mut Object, creator: &Creator) {
    let value = Json::String(creator.to_string());
    if let Some(Json::Object(labels)) = of.field_mut("Labels") {
        labels.set(CREATOR_LABEL, value);
        return;
    }
    // Anything else that passed the clauses sets no labels.
    let mut labels = Object::new(Keys::Entries);
    labels.set(CREATOR_LABEL, value);
    of.set("Labels", Json::Object(labels));
}

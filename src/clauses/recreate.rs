//! `recreate`: what was there may be there again. A client with this word may replace a container by an equal one, and takes nothing down that
//! could not come back.
//!
//! [`steps`] judges what the word gives: each step of a replacement, by whatever order a program takes them. [`guard`] is a term of the client:
//! it holds for whatever takes a container down, whichever of its grants gives that.

use std::sync::Arc;

use crate::request::json::{Json, Keys, Object};
use crate::rule::words::{Step, signal};
use crate::text::printable;

use super::columns::is_field;
use super::equal::{Difference, equals, equals_endpoint};
use super::granted::names_of_conditions_stay;
use super::host::container_create;
use super::identity::{image_carries_no_label, is_untouched, platform_is_ours};
use super::image::inherited_stays_inside;
use super::images::is_listed;
use super::inquiry::{Inquiry, Looked};
use super::names::is_plain;
use super::past::{Effect, Remembered};
use super::protected::is_full_id;
use super::question::Question;
use super::sides::{Facts, Sides};
use super::starts::{is_by, own_stays_inside};
use super::terms::By;
use super::violation::{Clause, Verdict, Violation, no_such, violation};

/// The length of the ids in temporary names.
const SHORT_ID: usize = 12;

/// How a refusal begins of what nobody takes for a replacement.
const NONE: &str = "is no ";

fn refuse(place: &str, problem: &str) -> Violation {
    violation(Clause::Recreate, place, problem)
}

/// What was found out so far; `None` while the engine has to be asked.
type Known<T> = Result<Option<T>, Violation>;

/// What `recreate` gives by itself.
pub(super) fn steps(inquiry: &mut Inquiry<'_>, step: Step) -> Verdict {
    if let Some(protected) = &inquiry.terms.protected {
        is_untouched(inquiry, protected)?;
    }
    match step {
        Step::Create => create(inquiry),
        Step::Start => start(inquiry),
        Step::Stop | Step::Kill => stop(inquiry),
        Step::Remove => remove(inquiry),
        Step::Rename => rename(inquiry),
        Step::Connect => connect(inquiry),
        Step::Disconnect => Ok(()),
        Step::Prune => Err(refuse("the request", "is none of the steps of a replacement")),
    }
}

/// Parameters that mean something else than a step of a replacement.
fn no_parameters_but(inquiry: &Inquiry<'_>, is_known: impl Fn(&str) -> bool) -> Verdict {
    let says = |value: &str| {
        !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    };
    let query = inquiry.head.target.query();
    match query.iter().find(|(key, value)| !is_known(key) && says(value)) {
        None => Ok(()),
        Some((key, _)) => Err(refuse(
            &format!("the parameter `{}`", printable(key)),
            "is no part of a replacement; leave it out",
        )),
    }
}

fn create(inquiry: &mut Inquiry<'_>) -> Verdict {
    no_parameters_but(inquiry, |key| matches!(key, "name" | "platform") || is_field(key))?;
    platform_is_ours(inquiry)?;
    let Some(body) = inquiry.body.filter(|body| body.as_object().is_some()) else {
        return Err(refuse("the body", "is missing"));
    };
    let name = inquiry.parameter("name").trim_start_matches('/');
    let terms = inquiry.terms;
    let mut candidates: Vec<Arc<Remembered>> = Vec::new();
    let mut is_used = false;
    for it in &terms.past.taken_down {
        // Watchtower gives the name later, when the old one is gone or has made room.
        if (name.is_empty() && it.must) || it.old.may_be_called(name) {
            is_used |= it.is_replaced;
            if !it.is_replaced {
                candidates.push(Arc::clone(&it.old));
            }
        }
    }
    if let Some((short, _)) = name.split_once('_')
        && short.len() == SHORT_ID
        && is_plain(short)
        && !terms.past.taken_down.iter().any(|it| it.old.short_id() == short)
    {
        match remembered(inquiry, short)? {
            None => return Ok(()),
            Some(old) if old.may_be_called(name) => candidates.push(Arc::new(old)),
            Some(_) => {}
        }
    }
    if candidates.is_empty() {
        let problem = if is_used {
            "was replaced already; to replace the new container, remove or rename that first"
        } else {
            "is no container that this client took down and sockwarden remembers; it forgets when it is restarted, and after an hour"
        };
        return Err(refuse(&called(name), problem));
    }
    let Some(facts) = facts(inquiry, body, &candidates)? else { return Ok(()) };
    let mut difference = None;
    let mut equal: Vec<Arc<Remembered>> = Vec::new();
    for old in candidates {
        match equals(&Sides { new: body, old: &old, facts: &facts }) {
            Ok(()) => equal.push(old),
            Err(place) => {
                difference.get_or_insert((old, place));
            }
        }
    }
    let host_name = body.field("Hostname").and_then(Json::as_str).unwrap_or_default();
    let first =
        equal.iter().find(|old| old.short_id() == host_name).or_else(|| equal.first()).cloned();
    let Some(first) = first else {
        let Some((old, place)) = difference else { return Ok(()) };
        return Err(differs(&place, &old));
    };
    // What nobody may mount, this client may not either.
    container_create(inquiry)?;
    image_may_be_used(inquiry, body.field("Image"))?;
    own_is_by_words(inquiry, &first.inspect, |inquiry| {
        container_create(inquiry)?;
        inherited_stays_inside(inquiry)
    })?;
    let names = equal.iter().map(|old| old.name.clone()).collect();
    inquiry.effect = Some(Effect::Replaces { old: first, names });
    Ok(())
}

/// What the client itself created is judged as it was then: a volume or network that it only names may reach the host by now.
fn own_is_by_words<'a>(
    inquiry: &mut Inquiry<'a>,
    old: &Json,
    judge: impl FnOnce(&mut Inquiry<'a>) -> Verdict,
) -> Verdict {
    if !inquiry.terms.creator.as_ref().is_some_and(|client| is_by(old, client)) {
        return Ok(());
    }
    let Inquiry { head, body, terms, list, .. } = *inquiry;
    let mut by_words = Inquiry::new(head, body, terms, list, By::Words, inquiry.answers());
    let verdict = judge(&mut by_words);
    inquiry.ask(by_words.into_questions());
    verdict
}

fn called(name: &str) -> String {
    if name.is_empty() { "what is created".to_owned() } else { format!("`{}`", printable(name)) }
}

fn differs(place: &Difference, old: &Remembered) -> Violation {
    let problem = format!("is not as the container `{}` had it", printable(&old.name));
    refuse(place, &problem)
}

/// What has to be known to compare.
fn facts(inquiry: &mut Inquiry<'_>, body: &Json, candidates: &[Arc<Remembered>]) -> Known<Facts> {
    let mode = |of: Option<&Json>, name: &str| {
        let mode = of.and_then(|it| it.field("HostConfig")).and_then(|it| it.field(name));
        mode.and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let is_private = |old: &Arc<Remembered>| mode(Some(&old.inspect), "CgroupnsMode") == "private";
    let asks = mode(Some(body), "CgroupnsMode").is_empty() && candidates.iter().any(is_private);
    let host_cgroups = if asks { inquiry.cgroups_are_the_hosts() } else { Some(false) };
    let mut ids = Vec::new();
    for field in ["NetworkMode", "PidMode", "IpcMode"] {
        let mode = mode(Some(body), field);
        let Some(name) = mode.strip_prefix("container:") else { continue };
        let name = name.trim_start_matches('/');
        if let Some(found) = id_of(inquiry, name, &format!("`HostConfig.{field}`"))? {
            let of = inquiry.terms.past.made(&found).map(|made| made.of.id.clone());
            ids.push((name.to_owned(), [Some(found), of].into_iter().flatten().collect()));
        }
    }
    if !inquiry.asks_nothing() {
        return Ok(None);
    }
    let protected = inquiry.terms.protected.as_ref();
    Ok(Some(Facts {
        host_cgroups: host_cgroups.unwrap_or(true),
        ids,
        prefixes: protected.map_or_else(|| vec!["sockwarden".to_owned()], |it| it.prefixes.clone()),
        image_labels_count: protected.is_some_and(|it| it.image_labels_count),
    }))
}

/// The limits of the client that speak of images.
fn image_may_be_used(inquiry: &mut Inquiry<'_>, image: Option<&Json>) -> Verdict {
    let list = inquiry.list;
    if let Some(protected) = &inquiry.terms.protected {
        image_carries_no_label(inquiry, protected, image)?;
    }
    let name = image.and_then(Json::as_str).unwrap_or_default();
    match list.images.as_deref() {
        Some(patterns) => is_listed(inquiry, patterns, name, "`Image`"),
        None => Ok(()),
    }
}

/// The full id of what a name means.
fn id_of(inquiry: &mut Inquiry<'_>, name: &str, place: &str) -> Known<String> {
    let missing = || no_such(place, &format!("No such container: {}", printable(name)));
    if !is_plain(name) {
        return Err(missing());
    }
    match inquiry.answer(&Question::Container(name.to_owned())) {
        Looked::NotYet => Ok(None),
        Looked::Missing => Err(missing()),
        Looked::Found(inspect) => {
            let id = inspect.field("Id").and_then(Json::as_str).filter(|id| is_full_id(id));
            id.map(|id| Some(id.to_owned())).ok_or_else(missing)
        }
    }
}

/// A container as it is now, with its image.
fn remembered(inquiry: &mut Inquiry<'_>, name: &str) -> Known<Remembered> {
    let Some(id) = id_of(inquiry, name, "the path")? else { return Ok(None) };
    // By the id, so that both answers are about one container.
    let question = Question::Replaced(id);
    let inspect = match inquiry.answer(&question) {
        Looked::NotYet => return Ok(None),
        Looked::Missing => {
            return Err(no_such("the path", &format!("No such container: {}", printable(name))));
        }
        Looked::Found(inspect) => inspect,
    };
    let image = inspect.field("Image").and_then(Json::as_str).unwrap_or_default();
    let image = Question::ReplacedImage(image.to_owned());
    if matches!(image.name(), "") || matches!(inquiry.answer(&image), Looked::NotYet) {
        return if image.name().is_empty() { Err(unknown()) } else { Ok(None) };
    }
    let inspect = inquiry.shared(&question);
    let image = inquiry.shared(&image);
    let old = inspect.and_then(|inspect| Remembered::of(&inspect, image.as_ref()));
    old.map(Some).ok_or_else(unknown)
}

fn unknown() -> Violation {
    refuse(
        "the container",
        "has more to say of itself than sockwarden can remember, so it could not come back",
    )
}

/// What was made starts, and so does what was stopped for it.
fn start(inquiry: &mut Inquiry<'_>) -> Verdict {
    no_parameters_but(inquiry, |key| key == "detachKeys")?;
    let Some(id) = id_of(inquiry, inquiry.object(), "the path")? else { return Ok(()) };
    let past = &inquiry.terms.past;
    let old = past.made(&id).map(|made| &made.of).or_else(|| past.of(&id).map(|it| &it.old));
    if let Some(old) = old {
        return own_is_by_words(inquiry, &old.inspect, own_stays_inside);
    }
    let problem = "is no container that this client made in place of another, or stopped for that";
    Err(refuse(&format!("`{}`", printable(inquiry.object())), problem))
}

/// With the signals that end a program.
fn stop(inquiry: &Inquiry<'_>) -> Verdict {
    const ENDING: &[u8] = &[2, 3, 9, 15];
    no_parameters_but(inquiry, |key| matches!(key, "t" | "signal"))?;
    let given = inquiry.parameter_or_empty("signal");
    if given.is_empty() || signal(given).is_some_and(|it| ENDING.contains(&it)) {
        return Ok(());
    }
    let problem =
        format!("is `{}`, and a replacement needs TERM, INT, QUIT or KILL", printable(given));
    Err(refuse("the parameter `signal`", &problem))
}

fn remove(inquiry: &Inquiry<'_>) -> Verdict {
    no_parameters_but(inquiry, |key| key == "force")
}

/// The old one makes room, or takes its name back; the new one gets the name in the end.
fn rename(inquiry: &mut Inquiry<'_>) -> Verdict {
    /// How long the names are that Watchtower gives itself.
    const RANDOM: usize = 32;
    no_parameters_but(inquiry, |key| key == "name")?;
    let name = inquiry.parameter("name").trim_start_matches('/');
    let Some(id) = id_of(inquiry, inquiry.object(), "the path")? else { return Ok(()) };
    let past = &inquiry.terms.past;
    if past.made(&id).is_some_and(|made| made.names.iter().any(|it| it == name))
        || past.of(&id).is_some_and(|it| it.old.name == name)
    {
        return Ok(());
    }
    let before = match past.of(&id) {
        Some(it) => it.old.name.clone(),
        None => match remembered(inquiry, inquiry.object())? {
            None => return Ok(()),
            Some(old) => old.name,
        },
    };
    let is_random = name.len() == RANDOM && name.bytes().all(|it| it.is_ascii_alphabetic());
    let holds_it = name.len() > before.len() && name.contains(&*before);
    if !is_plain(name) || !(is_random || holds_it) {
        let problem = format!(
            "is `{}`; a container that is replaced may be called `{before}-old` or the like, and its replacement `{before}`",
            printable(name)
        );
        return Err(refuse("the parameter `name`", &problem));
    }
    names_of_conditions_stay(inquiry)?;
    super::free_names::names_are_free(inquiry)
}

/// Where the old one was, with the settings that it had there.
fn connect(inquiry: &mut Inquiry<'_>) -> Verdict {
    let member = inquiry.field("Container").and_then(Json::as_str).unwrap_or_default();
    let Some(id) = id_of(inquiry, member, "`Container`")? else { return Ok(()) };
    let past = &inquiry.terms.past;
    let old = past.made(&id).map(|made| &made.of).or_else(|| past.of(&id).map(|it| &it.old));
    let Some(old) = old else {
        let problem = "is no container that this client made in place of another";
        return Err(refuse("`Container`", problem));
    };
    for (key, value) in super::sides::members(inquiry.body) {
        if !["Container", "EndpointConfig"].iter().any(|it| it.eq_ignore_ascii_case(key))
            && !value.is_zero()
        {
            return Err(refuse(
                &format!("`{}`", printable(key)),
                "is not a field that sockwarden knows",
            ));
        }
    }
    let facts = Facts::default();
    let sides = Sides { new: &Json::Null, old, facts: &facts };
    let endpoint = inquiry.field("EndpointConfig");
    // Compose 1 gives it the beginning of its id as an alias, as engines do anyway.
    let short = id.get(..SHORT_ID).unwrap_or_default();
    equals_endpoint(&sides, inquiry.object(), endpoint, "EndpointConfig", short)
        .map_err(|place| differs(&place, old))
}

/// Nothing is taken down that could not come back.
pub(super) fn guard(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some((step, _)) = inquiry.list.words.step(inquiry.head.operation) else { return Ok(()) };
    let (name, place) = match step {
        Step::Create | Step::Start | Step::Connect => return Ok(()),
        Step::Prune => {
            let problem = "removes containers that nobody named, so they could not come back; remove each by its name";
            return Err(refuse(&format!("`{}`", inquiry.head.operation), problem));
        }
        Step::Stop | Step::Kill | Step::Remove | Step::Rename => (inquiry.object(), "the path"),
        Step::Disconnect => {
            let member = inquiry.field("Container").and_then(Json::as_str);
            (member.unwrap_or_default(), "`Container`")
        }
    };
    let Some(id) = id_of(inquiry, name, place)? else { return Ok(()) };
    // What is made of the new one until it is where the old one was takes nothing down.
    if let Some(made) = inquiry.terms.past.made(&id) {
        let to = inquiry.parameter_or_empty("name").trim_start_matches('/');
        let is_part = match step {
            Step::Rename => made.names.iter().any(|name| name == to),
            step => step == Step::Disconnect,
        };
        if is_part {
            return Ok(());
        }
    }
    // Its successor is there, and is guarded itself.
    if inquiry.terms.past.of(&id).is_some_and(|it| it.is_replaced) {
        return Ok(());
    }
    let removes_itself = match inquiry.answer(&Question::Container(name.to_owned())) {
        Looked::Found(inspect) => {
            let config = inspect.field("HostConfig").and_then(|it| it.field("AutoRemove"));
            config.is_some_and(|it| *it != Json::Bool(false))
        }
        Looked::NotYet | Looked::Missing => true,
    };
    let must = removes_itself || !matches!(step, Step::Stop | Step::Kill);
    let coming_back = could_come_back(inquiry, name);
    match coming_back {
        Ok(None) => Ok(()),
        Ok(Some(old)) => {
            inquiry.effect = Some(Effect::TakesDown { old: Arc::new(old), must });
            Ok(())
        }
        Err(_) if !must => Ok(()),
        Err(violation) => Err(violation),
    }
}

/// The container, if a create with the settings that it has would be allowed.
fn could_come_back(inquiry: &mut Inquiry<'_>, name: &str) -> Known<Remembered> {
    let terms = inquiry.terms;
    let Some(old) = remembered(inquiry, name)? else { return Ok(None) };
    let body = as_it_was(&old);
    let candidates = [Arc::new(old)];
    let Some(facts) = facts(inquiry, &body, &candidates)? else { return Ok(None) };
    let [old] = candidates;
    equals(&Sides { new: &body, old: &old, facts: &facts }).map_err(|place| {
        let problem = "is set in a way that could not be compared with a new container, so this one could not come back";
        refuse(&place, problem)
    })?;
    image_may_be_used(inquiry, body.field("Image"))?;
    let mut again = Inquiry::new(
        inquiry.head,
        Some(&body),
        terms,
        inquiry.list,
        By::Recreate,
        inquiry.answers(),
    );
    let verdict = container_create(&mut again);
    let questions = again.into_questions();
    let is_open = !questions.is_empty();
    inquiry.ask(questions);
    verdict?;
    Ok((!is_open).then(|| Arc::unwrap_or_clone(old)))
}

/// The create that a program makes of what inspect shows.
fn as_it_was(old: &Remembered) -> Json {
    let mut body = Object::new(Keys::Fields);
    let part = |name: &str| old.inspect.field(name);
    for (key, value) in super::sides::members(part("Config")) {
        body.set(key, value.clone());
    }
    body.set("HostConfig", part("HostConfig").cloned().unwrap_or(Json::Null));
    let mut networking = Object::new(Keys::Fields);
    let networks = part("NetworkSettings").and_then(|it| it.field("Networks"));
    networking.set("EndpointsConfig", networks.cloned().unwrap_or(Json::Null));
    body.set("NetworkingConfig", Json::Object(networking));
    Json::Object(body)
}

/// Whether this says why something cannot come back, and not only that it is no replacement at all.
pub(super) fn is_told(violation: &Violation) -> bool {
    violation.clause == Clause::Recreate && !violation.told_problem().starts_with(NONE)
}

/// Why a container is not taken down although it could come back: too many others wait for that.
pub fn memory_is_full() -> Violation {
    let problem = "could not come back: too many containers that were taken down wait for their replacements, which sockwarden forgets after an hour";
    refuse("the container", problem)
}

/// Why a create is refused that came second.
pub fn replaced_already() -> Violation {
    refuse("the container", "was replaced already by another request of this client")
}

//! What words demand: the conditions of a grant, and what no condition says.

use crate::request::ObjectKind;
use crate::request::json::Json;
use crate::rule::labels::creator::{PROJECT_LABEL, SERVICE_LABEL};
use crate::rule::words::{
    Asks, Command, Conditions, Glob, Granted, ImageName, ImagePattern, Item, asks, may_be_id,
    signal,
};
use crate::text::printable;

use super::images::{images_of_create, is_called_so};
use super::inquiry::{Inquiry, Looked};
use super::names::is_plain;
use super::question::Question;
use super::reach::target_stays_inside;
use super::values::texts;
use super::violation::{Clause, Verdict, no_such, violation};

/// How far one grant is known to hold.
enum Holds {
    Yes,
    No,
    /// The engine has to be asked.
    NotYet,
}

impl Holds {
    fn and(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => next(),
            no_or_not_yet => no_or_not_yet,
        }
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// One of the grants must hold.
pub(super) fn one_grant_holds(inquiry: &mut Inquiry<'_>) -> Verdict {
    let list = inquiry.list;
    let head = inquiry.head;
    // A read of Podman's own API is given without conditions, or not at all.
    if head.operation.template().is_none() {
        return Ok(());
    }
    let grants = || list.words.of(head.operation).iter().filter(|it| it.part.holds(head));
    if grants().any(|granted| granted.conditions.are_none()) {
        return Ok(());
    }
    for granted in grants() {
        match holds(inquiry, &granted.conditions) {
            Holds::Yes | Holds::NotYet => return missing_object(inquiry),
            Holds::No => {}
        }
    }
    missing_object(inquiry)?;
    let texts: Vec<&str> = grants().map(|granted: &Granted| granted.rule.text.as_str()).collect();
    let place = match inquiry.object() {
        "" => format!("`{}`", head.operation),
        object => format!("`{}`", printable(object)),
    };
    let problem = format!("is not what `{}` allows", printable(&texts.join("` or `")));
    Err(violation(Clause::Condition, &place, &problem))
}

/// What is not there is told as the engine tells it.
fn missing_object(inquiry: &Inquiry<'_>) -> Verdict {
    let name = inquiry.object();
    let (question, what) = match inquiry.head.operation.object_kind() {
        ObjectKind::Container => (Question::Container(name.to_owned()), "container"),
        ObjectKind::Exec => (Question::Exec(name.to_owned()), "exec instance"),
        _ => return Ok(()),
    };
    if inquiry.has_none(&question) {
        return Err(no_such("the path", &format!("No such {what}: {}", printable(name))));
    }
    Ok(())
}

fn holds(inquiry: &mut Inquiry<'_>, conditions: &Conditions) -> Holds {
    Holds::from(request_fits(inquiry, conditions))
        .and(|| images_fit(inquiry, &conditions.images))
        .and(|| object_fits(inquiry, conditions))
}

/// What the request alone says.
fn request_fits(inquiry: &Inquiry<'_>, conditions: &Conditions) -> bool {
    let Conditions { names, to, commands, users, signals, images: _, either: _, neither: _ } =
        conditions;
    let one_of = |globs: &[Glob], text: &str| {
        globs.is_empty() || (!text.is_empty() && globs.iter().any(|glob| glob.is_match(text)))
    };
    let asks = asks(inquiry.head.operation);
    let new_name = inquiry.parameter_or_empty("name");
    let new_name = new_name.trim_start_matches('/');
    let names_fit = match asks {
        Asks::NewContainer => one_of(names, new_name),
        Asks::NewVolume => one_of(names, text(inquiry.body, "Name")),
        Asks::Volume => one_of(names, inquiry.object()),
        Asks::Nothing
        | Asks::Exec
        | Asks::Pull
        | Asks::Image
        | Asks::RemoteImage
        | Asks::Rename
        | Asks::Processes
        | Asks::Files => true,
    };
    let signals_fit = signals.is_empty() || {
        let given = inquiry.parameter_or_empty("signal");
        // The engine's default (moby `postContainersKill`).
        let number = if given.is_empty() { Some(9) } else { signal(given) };
        number.is_some_and(|number| signals.contains(&number))
    };
    let to_fits = asks != Asks::Rename || one_of(to, new_name);
    names_fit
        && signals_fit
        && to_fits
        && (asks != Asks::Exec || exec_fits(inquiry, commands, users))
}

/// What a new exec runs. With a condition on its command nothing else of it may be set that changes what the command means.
fn exec_fits(inquiry: &Inquiry<'_>, commands: &[Command], users: &[Glob]) -> bool {
    let field = |name: &str| inquiry.field(name);
    let user = text(inquiry.body, "User");
    let user_fits = users.is_empty() || users.iter().any(|glob| glob.is_match(user));
    if commands.is_empty() {
        return user_fits;
    }
    let is_unset = |name: &str| field(name).is_none_or(Json::is_zero);
    let plain = ["Env", "WorkingDir", "Privileged"].into_iter().all(is_unset)
        && (!users.is_empty() || user.is_empty());
    let arguments = field("Cmd").map(texts).unwrap_or_default();
    user_fits && plain && commands.iter().any(|command| command.fits(&arguments))
}

/// The images that a request names: by what the engine takes them for, if it is an engine's own.
fn images_fit(inquiry: &mut Inquiry<'_>, patterns: &[ImagePattern]) -> Holds {
    if patterns.is_empty() {
        return Holds::Yes;
    }
    let takes = |name: Option<ImageName>| {
        Holds::from(name.is_some_and(|name| patterns.iter().any(|it| it.takes(&name))))
    };
    match asks(inquiry.head.operation) {
        Asks::NewContainer => {
            let Ok(images) = images_of_create(inquiry) else { return Holds::No };
            images.iter().fold(Holds::Yes, |all, (image, _)| {
                all.and(|| local_image_fits(inquiry, patterns, image))
            })
        }
        Asks::Pull => takes(ImageName::transferred(
            inquiry.parameter_or_empty("fromImage"),
            inquiry.parameter_or_empty("tag"),
        )),
        Asks::Image => local_image_fits(inquiry, patterns, inquiry.object()),
        Asks::RemoteImage => {
            let known = inquiry.head.operation.parameters();
            // A push has the tag beside the name.
            takes(if known.iter().any(|(name, _)| *name == "tag") {
                ImageName::transferred(inquiry.object(), inquiry.parameter_or_empty("tag"))
            } else {
                ImageName::parse(inquiry.object())
            })
        }
        Asks::Nothing
        | Asks::NewVolume
        | Asks::Volume
        | Asks::Exec
        | Asks::Rename
        | Asks::Processes
        | Asks::Files => Holds::No,
    }
}

/// An image of the engine. What may be an id is judged by the names of the image that it leads to.
fn local_image_fits(inquiry: &mut Inquiry<'_>, patterns: &[ImagePattern], image: &str) -> Holds {
    if may_be_id(image) {
        match inquiry.answer(&Question::Image(image.to_owned())) {
            Looked::NotYet => return Holds::NotYet,
            Looked::Found(answer) => return Holds::from(is_called_so(answer, patterns)),
            Looked::Missing => {}
        }
    }
    let name = ImageName::parse(image);
    Holds::from(name.is_some_and(|name| patterns.iter().any(|it| it.takes(&name))))
}

/// What the engine says of the object.
fn object_fits(inquiry: &mut Inquiry<'_>, conditions: &Conditions) -> Holds {
    if !conditions.need_object() && conditions.commands.is_empty() && conditions.users.is_empty() {
        return Holds::Yes;
    }
    match inquiry.head.operation.object_kind() {
        ObjectKind::Container if conditions.need_object() => {
            container_fits(inquiry, inquiry.object(), conditions)
        }
        ObjectKind::Exec => exec_object_fits(inquiry, conditions),
        _ => Holds::Yes,
    }
}

/// An exec that is there fits if one like it could be made.
fn exec_object_fits(inquiry: &mut Inquiry<'_>, conditions: &Conditions) -> Holds {
    let id = inquiry.object();
    if !is_plain(id) {
        return Holds::No;
    }
    let exec = match inquiry.answer(&Question::Exec(id.to_owned())) {
        Looked::NotYet => return Holds::NotYet,
        Looked::Missing => return Holds::No,
        Looked::Found(exec) => exec,
    };
    let process = exec.field("ProcessConfig");
    let text = |name: &str| process.and_then(|it| it.field(name)).and_then(Json::as_str);
    let user = text("user").unwrap_or_default();
    let user_fits =
        conditions.users.is_empty() || conditions.users.iter().any(|glob| glob.is_match(user));
    let command_fits = conditions.commands.is_empty() || {
        let mut arguments = vec![text("entrypoint").unwrap_or("?")];
        let rest = process.and_then(|it| it.field("arguments"));
        arguments.extend(rest.map(texts).unwrap_or_default());
        let is_privileged = process
            .and_then(|it| it.field("privileged"))
            .is_some_and(|it| *it != Json::Bool(false) && *it != Json::Null);
        !is_privileged
            && (!conditions.users.is_empty() || user.is_empty())
            && conditions.commands.iter().any(|command| command.fits(&arguments))
    };
    let container = exec.field("ContainerID").and_then(Json::as_str).unwrap_or_default();
    Holds::from(user_fits && command_fits).and(|| {
        if conditions.need_object() {
            container_fits(inquiry, container, conditions)
        } else {
            Holds::Yes
        }
    })
}

fn container_fits(inquiry: &mut Inquiry<'_>, reference: &str, conditions: &Conditions) -> Holds {
    if !is_plain(reference) {
        return Holds::No;
    }
    let inspect = match inquiry.answer(&Question::Container(reference.to_owned())) {
        Looked::NotYet => return Holds::NotYet,
        Looked::Missing => return Holds::No,
        Looked::Found(inspect) => inspect,
    };
    let name = inspect.field("Name").and_then(Json::as_str).unwrap_or_default();
    let name = name.trim_start_matches('/');
    let names_fit =
        conditions.names.is_empty() || conditions.names.iter().any(|glob| glob.is_match(name));
    if !names_fit {
        return Holds::No;
    }
    let labels = if conditions.need_labels() {
        let id = inspect.field("Id").and_then(Json::as_str).unwrap_or_default();
        if !is_plain(id) {
            return Holds::No;
        }
        // By the id, so that both answers are about one container.
        match inquiry.answer(&Question::Labels(id.to_owned())) {
            Looked::NotYet => return Holds::NotYet,
            Looked::Missing => return Holds::No,
            Looked::Found(inspect) => inspect.field("Config").and_then(|it| it.field("Labels")),
        }
    } else {
        None
    };
    let is_true = |item: &Item| holds_of(item, name, labels);
    let all = &conditions.either;
    let either = all
        .iter()
        .all(|it| all.iter().any(|other| other.is_of_kind(it) && is_true(other) == Some(true)));
    // What cannot be read might be what must not be.
    let neither = conditions.neither.iter().all(|it| is_true(it) == Some(false));
    Holds::from(either && neither)
}

/// Whether something is true of a container; `None` if nobody can say.
fn holds_of(item: &Item, name: &str, labels: Option<&Json>) -> Option<bool> {
    let like = |key: &str, glob: &Glob| match labels?.field(key) {
        None => Some(false),
        // One that was too long to be kept is empty.
        Some(value) => value.as_str().filter(|it| !it.is_empty()).map(|it| glob.is_match(it)),
    };
    match item {
        Item::Name(glob) => Some(glob.is_match(name)),
        Item::Project(glob) => like(PROJECT_LABEL, glob),
        Item::Service { project, name } => {
            Some(like(PROJECT_LABEL, project)? && like(SERVICE_LABEL, name)?)
        }
        Item::Label { key, value: Some(value) } => like(key, value),
        Item::Label { key, value: None } => Some(labels?.field(key).is_some()),
    }
}

/// What no word gives by itself, whatever it allows.
pub(super) fn safe_terms_hold(inquiry: &mut Inquiry<'_>) -> Verdict {
    match asks(inquiry.head.operation) {
        Asks::Processes => plain_process_list(inquiry),
        Asks::Files => target_stays_inside(inquiry),
        Asks::Nothing
        | Asks::Rename
        | Asks::NewContainer
        | Asks::NewVolume
        | Asks::Volume
        | Asks::Exec
        | Asks::Pull
        | Asks::Image
        | Asks::RemoteImage => Ok(()),
    }
}

/// `ps` shows environments and more, by options that are letters in any order, so those that clients use are listed.
fn plain_process_list(inquiry: &Inquiry<'_>) -> Verdict {
    const PLAIN: &[&str] = &[
        "",
        "-A",
        "-e",
        "-ef",
        "-eF",
        "-f",
        "-aux",
        "a",
        "au",
        "aux",
        "auxw",
        "auxww",
        "ax",
        "-o pid,ppid,user,args",
        "-eo pid,ppid,user,args",
        "-o pid,user,comm",
        "-eo pid,comm",
    ];
    let arguments = inquiry.parameter("ps_args");
    if PLAIN.contains(&arguments) || inquiry.list.words.env().iter().any(Glob::is_anything) {
        return Ok(());
    }
    let problem = format!(
        "is `{}`, which may show environments; send `aux` or `-ef`, or add `env` to the words",
        printable(arguments)
    );
    Err(violation(Clause::Condition, "the parameter `ps_args`", &problem))
}

/// A client whose rights depend on a name gives that name to nothing, and takes a name that they exclude from nothing, whichever of its grants
/// lets it rename.
pub(super) fn names_of_conditions_stay(inquiry: &mut Inquiry<'_>) -> Verdict {
    let words = &inquiry.list.words;
    if asks(inquiry.head.operation) != Asks::Rename || words.object_names().next().is_none() {
        return Ok(());
    }
    let depends = |place: &str, name: &str, glob: &Glob| {
        let problem = format!(
            "is `{}`, and `{}` is a name that the client's own rights depend on",
            printable(name),
            printable(&glob.to_string())
        );
        violation(Clause::Condition, place, &problem)
    };
    let name = inquiry.parameter_or_empty("name").trim_start_matches('/');
    if let Some(glob) = words.object_names().find(|glob| glob.is_match(name)) {
        return Err(depends("the parameter `name`", name, glob));
    }
    if words.excluded_names().next().is_none() {
        return Ok(());
    }
    let place = format!("`{}`", printable(inquiry.object()));
    let problem = "has a name that the client's own rights depend on";
    inquiry.look_at_container(inquiry.object(), &place, problem, |_, inspect| {
        let name = inspect.field("Name").and_then(Json::as_str).unwrap_or_default();
        let name = name.trim_start_matches('/');
        match words.excluded_names().find(|glob| glob.is_match(name)) {
            None => Ok(()),
            Some(glob) => Err(depends(&place, name, glob)),
        }
    })
}

fn text<'a>(of: Option<&'a Json>, field: &str) -> &'a str {
    of.and_then(|of| of.field(field)).and_then(Json::as_str).unwrap_or_default()
}

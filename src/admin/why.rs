//! Whether a client could ask for something, judged by what is in force now, with a request that nobody sent.
//!
//! It goes the way of a real request: the client is recognised by its container, the policy judges the head, and the engine is asked what
//! names mean. Only a body is not there; what it decides stays open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::clauses::Clause;
use crate::client::{Admission, Client, Identity, Peer, Standing};
use crate::engine::{Engine, EngineError};
use crate::identity::client_from;
use crate::in_force::InForce;
use crate::policy::{DeclaredBody, Denied, DenyReason, Grant, Judgement, Pending};
use crate::registry::{Named, Registry};
use crate::request::{BodyKind, Head, Method, RequestTarget};
use crate::rule::{Allowlist, Match};
use crate::setting::SettingName;
use crate::text::printable;
use crate::wording::{self, Explanation, Setup};

/// The API version that is taken for the client's if the engine does not tell its own.
const SOME_VERSION: &str = "1.44";
/// How many names are listed for somebody who gave none of them.
const MOST_NAMES: usize = 20;
/// What stays open where a body decides.
const BODY: &str =
    "what the body asks for: it is judged when it comes, for access to the host among others";

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// The name or id of a container, or an address.
    pub client: String,
    /// The method.
    pub method: String,
    /// The path with its query, without an API version.
    pub target: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It would go to the engine.
    Allowed,
    /// Nothing is against it, and the body decides.
    Open,
    /// It would be refused.
    Refused,
}

/// The answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// What came of it.
    pub verdict: Verdict,
    /// Who would ask.
    pub client: String,
    /// What would be asked.
    pub request: String,
    /// The operation.
    pub operation: String,
    /// How it came to that, step by step.
    pub steps: Vec<String>,
    /// What stays open.
    pub open: Vec<String>,
    /// Why it would be refused.
    pub reason: Option<String>,
    /// What would allow it.
    pub fix: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked makes no sense here.
    Mistake(String),
    /// The engine does not answer.
    Engine(String),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// What is in force, and those who know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) engine: &'a Engine,
    pub(super) registry: Option<&'a Registry>,
    pub(super) in_force: &'a InForce,
}

/// Judges what is asked.
///
/// # Errors
/// When nobody has that name, the path is none, or the engine does not answer.
pub(super) async fn tell(sources: &Sources<'_>, asked: &Asked) -> Result<Told, Failure> {
    let client = sources.client(&asked.client).await?;
    let method = Method::parse(&asked.method).ok_or_else(|| {
        Failure::Mistake(format!("`{}` is not a method", printable(&asked.method)))
    })?;
    let version = sources.engine.version().await.map(|version| version.api_version);
    let version = version.ok().filter(|version| !version.is_empty());
    let version = version.unwrap_or_else(|| SOME_VERSION.to_owned());
    let head = head_of(method, &format!("/v{version}{}", asked.target))?;
    let (operation, request) = (head.operation, head.target.versioned_path().to_owned());
    let mut steps = vec![if operation.template().is_some() {
        format!("{method} {} is {operation}", printable(&request))
    } else {
        format!("{method} {} is no operation that sockwarden knows", printable(&request))
    }];
    steps.extend(standings(&client, sources.in_force.policy.default_list(), &head));
    let judged = sources.judge(&client, head).await?;
    steps.extend(judged.found);
    // A pattern may say something of one and not of the other.
    let other = head_of(method, &asked.target)?;
    let without = sources.judge(&client, other).await?.verdict;
    if (without == Verdict::Refused) != (judged.verdict == Verdict::Refused) {
        let would = if without == Verdict::Refused { "is refused" } else { "would pass" };
        let target = printable(&asked.target);
        steps.push(format!("{method} {target}, without a version in front, {would}"));
    }
    let mut told = Told {
        verdict: judged.verdict,
        client: client.to_string(),
        request: format!("{method} {}", printable(&request)),
        operation: operation.to_string(),
        steps,
        open: judged.open,
        reason: None,
        fix: None,
    };
    if let Some(denied) = &judged.denied {
        let setup = Setup {
            label_prefix: sources.registry.map(Registry::suggested_prefix),
            is_gateway: sources.registry.is_some_and(|it| it.is_gateway(&client.peer)),
        };
        let Explanation { message, fix } = wording::explain(&client, denied, setup);
        told.reason = Some(message);
        told.fix = Some(fix).filter(|fix| !fix.is_empty());
    }
    Ok(told)
}

fn head_of(method: Method, target: &str) -> Result<Head, Failure> {
    let target = RequestTarget::parse_for(method, target)
        .map_err(|error| Failure::Mistake(format!("`{}`: {error}", printable(target))))?;
    let json = [("content-type", b"application/json".as_slice())];
    let head = Head::new(method, target, []);
    Ok(match head.operation.body() {
        BodyKind::Json => Head::new(method, head.target, json),
        BodyKind::None | BodyKind::Tar | BodyKind::Unknown => head,
    })
}

/// How far a judgement without a body gets.
struct Judged {
    verdict: Verdict,
    denied: Option<Box<Denied>>,
    /// What was found out on the way.
    found: Vec<String>,
    open: Vec<String>,
}

impl Sources<'_> {
    /// The client that is meant.
    async fn client(&self, name: &str) -> Result<Client, Failure> {
        let admissions = &self.in_force.admissions;
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(client_from(from(address), Identity::Plain, admissions).await);
        }
        let shown = printable(name);
        let Some(registry) = self.registry else {
            return Err(Failure::Mistake(format!(
                "the labels of containers are not read here ({} switches that on), so clients are known by their addresses alone; give an address in place of `{shown}`",
                SettingName::ProxyContainerName.set_to("auto"),
            )));
        };
        let named =
            registry.named(name).await.map_err(|error| Failure::Engine(error.to_string()))?;
        match named {
            Named::Containers(containers, address) => {
                let peer = from(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
                Ok(client_from(peer, Identity::Containers(containers), admissions).await)
            }
            Named::Us => Err(Failure::Mistake(format!(
                "`{shown}` is the proxy itself, which asks the engine without being judged"
            ))),
            Named::Nobody(there) => Err(Failure::Mistake(nobody(name, &there))),
        }
    }

    /// Judges a head, and asks the engine what has to be known.
    async fn judge(&self, client: &Client, head: Head) -> Result<Judged, Failure> {
        let protected = match self.registry {
            Some(registry) => {
                let protected = registry.protected().await;
                Some(protected.map_err(|error| Failure::Engine(error.to_string()))?)
            }
            None => None,
        };
        let policy = &self.in_force.policy;
        let has_body = head.operation.body() == BodyKind::Json;
        let body = DeclaredBody { body: has_body.then_some(()) };
        let mut judgement = policy.judge(client, protected, head, body);
        let mut found = Vec::new();
        loop {
            let mut pending: Box<Pending<()>> = match judgement {
                Judgement::Allowed(allowed) => {
                    found.push(format!("{} allows it", grant(allowed.grant())));
                    let open: Vec<_> = has_body.then(|| BODY.to_owned()).into_iter().collect();
                    let verdict = if has_body { Verdict::Open } else { Verdict::Allowed };
                    return Ok(Judged { verdict, denied: None, found, open });
                }
                Judgement::Denied(denied) => {
                    if has_body && depends_on_body(client, policy.default_list(), &denied) {
                        let why = wording::reason(&denied.reason);
                        let empty = format!("an empty body would be refused: {why}");
                        let (verdict, open) = (Verdict::Open, vec![BODY.to_owned(), empty]);
                        return Ok(Judged { verdict, denied: None, found, open });
                    }
                    let (verdict, denied) = (Verdict::Refused, Some(denied));
                    return Ok(Judged { verdict, denied, found, open: Vec::new() });
                }
                Judgement::Pending(pending) => pending,
            };
            if pending.take_body().is_some() {
                // One that says nothing, to find out what does not depend on it.
                judgement = pending.read(b"{}");
                continue;
            }
            for question in pending.questions() {
                let answer = self.engine.answer(&question).await?.map(|(json, _)| json);
                let knows = if answer.is_some() { "and knows it" } else { "and does not know it" };
                let step =
                    format!("the engine was asked about `{}`, {knows}", printable(question.name()));
                if !found.contains(&step) {
                    found.push(step);
                }
                pending.answer(question, answer);
            }
            judgement = pending.judge();
        }
    }
}

/// Whether another body could have passed.
fn depends_on_body(client: &Client, default: &Allowlist, denied: &Denied) -> bool {
    let needs_body = |standing: Standing<'_>| {
        let list: &Allowlist = match standing {
            Standing::Own(list) => list,
            Standing::Creator(by) => by.list(),
            _ => default,
        };
        let words = list.words.of(denied.head.operation);
        words.iter().any(|granted| granted.conditions.need_body())
    };
    match &denied.reason {
        DenyReason::Violation(violation) => match violation.clause {
            Clause::Condition => client.identity.standings().any(needs_body),
            Clause::OwnContainer | Clause::NoSuchObject => false,
            _ => true,
        },
        _ => false,
    }
}

/// A peer that comes from this address.
fn from(address: IpAddr) -> Peer {
    Peer::tcp(SocketAddr::new(address, 0), address)
}

fn nobody(name: &str, there: &[String]) -> String {
    let shown = printable(name);
    let near = |other: &&String| {
        let (own, other) = (name.to_ascii_lowercase(), other.to_ascii_lowercase());
        strsim::osa_distance(&own, &other) <= 2 || (own.len() > 2 && other.contains(&own))
    };
    let nearest = there.iter().filter(|_| name.len() < 256).find(near);
    if let Some(nearest) = nearest {
        return format!("there is no container `{shown}`; did you mean `{}`?", printable(nearest));
    }
    let names: Vec<String> =
        there.iter().take(MOST_NAMES).map(|name| format!("`{}`", printable(name))).collect();
    let more = if there.len() > MOST_NAMES { " and others" } else { "" };
    format!("there is no container `{shown}`; there are {}{more}", names.join(", "))
}

/// By which lists a client is judged, and what of each speaks of this operation.
fn standings(client: &Client, default: &Allowlist, head: &Head) -> Vec<String> {
    let mut steps = Vec::new();
    for standing in client.identity.standings() {
        match standing {
            Standing::Default if client.admission == Admission::Listed => {
                steps.push(format!("{client} is judged by the default allowlist"));
                steps.extend(in_list(default, head));
            }
            Standing::Default => steps.push(format!(
                "{client} has no label of its own and is not in {}",
                SettingName::AllowFrom.or_variable()
            )),
            Standing::Own(list) => {
                steps.push(format!("{client} is judged by its own labels"));
                steps.extend(in_list(list, head));
            }
            Standing::Broken(_) => {
                steps.push(format!("the labels of {client} are wrong, so it has no rights"));
            }
            Standing::Step(container) => steps.push(format!(
                "`{}` is a step of a build, and has no rights",
                printable(&container.name)
            )),
            Standing::Unknown(why) => steps.push(format!("nobody can say who {client} is: {why}")),
            Standing::Creator(by) => {
                let bound = by.may_not();
                let (child, creator) = (printable(&bound.child), printable(&bound.creator));
                steps.push(format!(
                    "`{child}` was created by `{creator}`, and may do only what that one may"
                ));
                steps.extend(in_list(by.list(), head));
            }
            Standing::Orphan(bound) => {
                let (child, creator) = (printable(&bound.child), printable(&bound.creator));
                steps.push(format!("`{child}` was created by `{creator}`, and may do nothing"));
            }
        }
    }
    steps
}

/// The words and patterns of a list that speak of what is asked.
fn in_list(list: &Allowlist, head: &Head) -> Vec<String> {
    let operation = head.operation;
    let mut steps = Vec::new();
    if operation.is_ping() {
        steps.push("every admitted client may ping".to_owned());
    }
    for granted in list.words.of(operation) {
        let (text, origin) = (printable(&granted.rule.text), &granted.rule.origin);
        let word = format!("the word `{text}` in `{origin}` gives {operation}");
        steps.push(if !granted.part.holds(head) {
            format!("{word}{}, which this is not", granted.part.suffix())
        } else if granted.conditions.are_none() {
            word
        } else {
            format!("{word} if this holds: {}", printable(&granted.conditions.to_string()))
        });
    }
    if let Match::Rule(rule) = list.rules.find(head.method, head.target.versioned_path()) {
        let pattern = printable(rule.path.as_str());
        steps.push(format!("the pattern `{pattern}` in `{}` matches", rule.origin));
    }
    if steps.is_empty() {
        steps.push("no word and no pattern in that gives it".to_owned());
    }
    steps
}

fn grant(grant: &Grant) -> String {
    match grant {
        Grant::Word(rule) => format!("the word `{}` in `{}`", printable(&rule.text), rule.origin),
        Grant::Rule(rule) => {
            format!("the pattern `{}` in `{}`", printable(rule.path.as_str()), rule.origin)
        }
        Grant::Ping => "that every admitted client may ping".to_owned(),
    }
}

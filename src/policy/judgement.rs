//! What comes of a judgement: a request that may be sent, one that may not, or one whose content has to be looked at first.
//!
//! They stand in one file because their fields are private to it: nothing else makes an [`Allowed`].

use std::fmt;
use std::sync::Arc;

use crate::clauses::{
    Answers, By, Effect, Examined, Question, Terms, Violation, examine, mark, pin,
};
use crate::client::{Bound, WhyUnknown};
use crate::request::json::{Json, JsonError, Keys};
use crate::request::{BodyKind, Head};
use crate::rule::labels::LabelError;
use crate::rule::words::WordRule;
use crate::rule::{Allowlist, Match, Rule};

/// The verdict on a request.
#[must_use]
#[derive(Debug)]
pub enum Judgement<B> {
    /// It may go to the engine.
    Allowed(Allowed<B>),
    /// Its head is allowed; what it carries has to be looked at.
    Pending(Box<Pending<B>>),
    /// It may not.
    Denied(Box<Denied>),
}

/// A request that was judged and may be sent, exactly as it is.
///
/// ```compile_fail
/// // Only the judge makes one; tests/forge holds the cases with their errors.
/// let allowed: sockwarden::policy::Allowed<()> = sockwarden::policy::Allowed {};
/// ```
#[derive(Debug)]
pub struct Allowed<B> {
    head: Head,
    body: Body<B>,
    grant: Grant,
    effect: Option<Box<Effect>>,
}

/// What happens to the body of an allowed request.
pub enum Body<B> {
    /// There is none.
    None,
    /// It goes to the engine as it comes.
    Forward(B),
    /// It was read and judged, and this is what was understood.
    Judged(String),
    /// It is read and thrown away: JSON that some client libraries add to every POST and that the operation never reads.
    Discard(B),
}

impl<B> fmt::Debug for Body<B> {
    /// Not what is in it: a container's environment is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Forward(_) => "Forward",
            Self::Judged(_) => "Judged",
            Self::Discard(_) => "Discard",
        })
    }
}

impl<B> Allowed<B> {
    /// What allowed it.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The head that will be sent.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What happens to its body.
    pub fn body(&self) -> &Body<B> {
        &self.body
    }

    /// What has to be remembered before it is sent.
    pub fn effect(&self) -> Option<&Effect> {
        self.effect.as_deref()
    }

    /// Refuses it after all: what it needs remembered cannot be.
    pub fn refuse(self, violation: Violation) -> Box<Denied> {
        Box::new(Denied { head: self.head, reason: DenyReason::Violation(violation), by: None })
    }

    /// Takes it apart for sending; the engine room is the only caller.
    pub(crate) fn into_parts(self) -> (Head, Body<B>) {
        (self.head, self.body)
    }
}

/// What allowed a request.
#[derive(Debug, Clone)]
pub enum Grant {
    /// A word.
    Word(Arc<WordRule>),
    /// A rule.
    Rule(Arc<Rule>),
    /// `GET` and `HEAD /_ping` are open to every admitted client.
    Ping,
}

/// A request that may not be sent, and why.
#[derive(Debug)]
pub struct Denied {
    /// What was asked.
    pub head: Head,
    /// Why not.
    pub reason: DenyReason,
    /// If what the request carries goes too far, the one of several lists for which it does.
    pub by: Option<Arc<Allowlist>>,
}

/// Why a request may not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenyReason {
    /// The client is not in `allowfrom`.
    NotAdmitted,
    /// It might be a container, and nobody can say which.
    UnknownClient(WhyUnknown),
    /// Its container's labels are wrong.
    BrokenLabels(Arc<[LabelError]>),
    /// Its container was created by another client, and may do only what that one may.
    Creator(Box<Bound>),
    /// Its container, by its name, is a step of a build.
    Step(String),
    /// No rule is for the method.
    NoMethod,
    /// No rule is for the path.
    NoPath,
    /// The list has words, none of which gives the operation, and no rule is for the path.
    NoWord,
    /// The operation reads no body, and the client sent one that is not JSON.
    BodyNotTaken,
    /// The body is a form, whose fields would override the query that was judged.
    FormBody,
    /// We do not know the operation, and the content type is none whose reading we know.
    UnknownBody,
    /// The body is coded, so that what is judged would not be what the engine reads.
    CodedBody,
    /// The body has not one reading.
    UnclearBody(JsonError),
    /// It names more objects than are looked up for one request.
    TooManyNames,
    /// What it carries goes beyond what its rule allows.
    Violation(Violation),
}

/// A request on its way through the second half of the judgement: its body is taken out and read, the engine is asked what names mean,
/// and [`Pending::judge`] ends it.
///
// INVARIANT: it becomes `Allowed` only in `judge`, with a body that was read by `read` or found to be empty by `emptied`, when no list has a
// violation or a question left.
pub struct Pending<B> {
    head: Head,
    body: Unread<B>,
    grant: Grant,
    terms: Terms,
    answers: Answers,
}

/// What the lists that have to allow a request say together.
struct Reviewed {
    /// What has to be asked.
    questions: Vec<Question>,
    /// Which of its grants allows the request by the first list.
    by: Option<By>,
    effect: Option<Effect>,
    /// Whether each of them allows it as a replacement.
    is_replacement: bool,
}

/// The most containers, volumes and networks that one request may name where each has to be asked for.
pub const MAX_QUESTIONS: usize = 64;

impl<B> fmt::Debug for Pending<B> {
    /// Not what was read or answered: environments are in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("head", &self.head)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// What is known of the body.
enum Unread<B> {
    /// It is not read, whatever it is.
    Opaque(Body<B>),
    /// It has to be read.
    Waiting(Option<B>),
    /// The operation reads none, so there must be nothing of it.
    MustBeEmpty(Option<B>),
    /// It was, from so many bytes.
    Read(Json, usize),
}

impl<B> Pending<B> {
    /// Begins with a head that is allowed; ends at once where there is nothing to look at.
    pub(super) fn begin(head: Head, body: Body<B>, grant: Grant, terms: Terms) -> Judgement<B> {
        let body = match body {
            Body::Forward(body) if head.operation.body() == BodyKind::Json => {
                Unread::Waiting(Some(body))
            }
            Body::Forward(body) if head.operation.body() == BodyKind::None => {
                Unread::MustBeEmpty(Some(body))
            }
            body => Unread::Opaque(body),
        };
        let pending = Self { head, body, grant, terms, answers: Answers::new() };
        match pending.body {
            Unread::Waiting(_) | Unread::MustBeEmpty(_) => Judgement::Pending(Box::new(pending)),
            Unread::Opaque(_) | Unread::Read(..) => pending.judge(),
        }
    }

    /// What is asked.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Gives out the body that has to be read, once.
    pub fn take_body(&mut self) -> Option<B> {
        match &mut self.body {
            Unread::Waiting(body) => body.take(),
            Unread::Opaque(_) | Unread::MustBeEmpty(_) | Unread::Read(..) => None,
        }
    }

    /// Gives out the body of which there must be nothing, once; [`Pending::emptied`] takes in whether that is so.
    pub fn take_empty_body(&mut self) -> Option<B> {
        match &mut self.body {
            Unread::MustBeEmpty(body) => body.take(),
            Unread::Opaque(_) | Unread::Waiting(_) | Unread::Read(..) => None,
        }
    }

    /// Takes in whether there was nothing of a body.
    pub fn emptied(mut self, is_empty: bool) -> Judgement<B> {
        if !is_empty {
            return self.deny(DenyReason::BodyNotTaken);
        }
        self.body = Unread::Opaque(Body::None);
        self.judge()
    }

    /// Takes in the body that was read.
    ///
    /// # Errors
    /// When it has not one reading.
    pub fn read(mut self, bytes: impl AsRef<[u8]>) -> Judgement<B> {
        let length = bytes.as_ref().len();
        // Without a length nobody could tell before that there is none.
        if length == 0 {
            self.body = Unread::Opaque(Body::None);
            return self.judge();
        }
        let document = Json::parse(bytes.as_ref(), Keys::Fields);
        // What it was sent as is not needed any more, and may be large.
        drop(bytes);
        match document {
            Ok(document) => {
                self.body = Unread::Read(document, length);
                self.judge()
            }
            Err(error) => self.deny(DenyReason::UnclearBody(error)),
        }
    }

    /// What has to be asked of the engine before this can go on.
    pub fn questions(&self) -> Vec<Question> {
        self.review().map(|reviewed| reviewed.questions).unwrap_or_default()
    }

    /// Notes what the engine answered; says whether that is an object that no other name led to.
    pub fn answer(&mut self, question: Question, answer: Option<Json>) -> bool {
        self.answers.insert(question, answer)
    }

    /// Judges what is known by now; `Pending` again while there is something to read or to ask.
    pub fn judge(mut self) -> Judgement<B> {
        if matches!(self.body, Unread::Waiting(_) | Unread::MustBeEmpty(_)) {
            return Judgement::Pending(Box::new(self));
        }
        match self.review() {
            Err((violation, list)) => {
                let (reason, by) = (DenyReason::Violation(violation), Some(list));
                Judgement::Denied(Box::new(Denied { head: self.head, reason, by }))
            }
            Ok(reviewed) if self.answers.len() + reviewed.questions.len() > MAX_QUESTIONS => {
                self.deny(DenyReason::TooManyNames)
            }
            Ok(reviewed) if !reviewed.questions.is_empty() => Judgement::Pending(Box::new(self)),
            Ok(Reviewed { by, effect, is_replacement, .. }) => {
                let grant = self.grant(by);
                let mut document = match &mut self.body {
                    Unread::Read(document, _) => Some(document),
                    Unread::Opaque(_) | Unread::Waiting(_) | Unread::MustBeEmpty(_) => None,
                };
                pin(&mut self.head, document.as_deref_mut(), &self.answers);
                if let Some(document) = document {
                    let replaced = match &effect {
                        Some(Effect::Replaces { old, .. }) if is_replacement => Some(&**old),
                        _ => None,
                    };
                    mark(&self.head, document, &self.terms, replaced);
                }
                let body = match self.body {
                    Unread::Opaque(body) => body,
                    Unread::Read(document, length) => Body::Judged(document.to_text_of(length)),
                    // Ruled out above; a body that nobody read is never sent.
                    Unread::Waiting(_) | Unread::MustBeEmpty(_) => Body::None,
                };
                let effect = effect.map(Box::new);
                Judgement::Allowed(Allowed { head: self.head, body, grant, effect })
            }
        }
    }

    /// Refuses it for a reason that shows outside the judge.
    pub fn deny(self, reason: DenyReason) -> Judgement<B> {
        Judgement::Denied(Box::new(Denied { head: self.head, reason, by: None }))
    }

    /// What all lists say together; or the first violation with the list that it is one of.
    fn review(&self) -> Result<Reviewed, (Violation, Arc<Allowlist>)> {
        let document = match &self.body {
            Unread::Read(document, _) => Some(document),
            Unread::Opaque(_) | Unread::Waiting(_) | Unread::MustBeEmpty(_) => None,
        };
        let mut all =
            Reviewed { questions: Vec::new(), by: None, effect: None, is_replacement: true };
        for list in &self.terms.lists {
            let Examined { questions, by, effect } =
                examine(&self.head, document, &self.terms, list, &self.answers)
                    .map_err(|violation| (violation, Arc::clone(list)))?;
            all.questions.extend(questions);
            all.by.get_or_insert(by);
            all.is_replacement &= by == By::Recreate;
            all.effect = all.effect.or(effect);
        }
        all.questions.sort();
        all.questions.dedup();
        Ok(all)
    }

    /// What allowed it: a pattern, if the word that gives the operation gives it on other terms.
    fn grant(&self, by: Option<By>) -> Grant {
        let rules = self.terms.lists.first().map(|list| &list.rules);
        let words = self.terms.lists.first().map(|list| &list.words);
        let recreates = words.and_then(|words| words.replaces(self.head.operation));
        if let (Some(By::Recreate), Some(rule)) = (by, recreates) {
            return Grant::Word(Arc::clone(rule));
        }
        match (&self.grant, by, rules) {
            (Grant::Word(_), Some(By::Patterns), Some(rules)) => {
                match rules.find(self.head.method, self.head.target.versioned_path()) {
                    Match::Rule(rule) => Grant::Rule(Arc::clone(rule)),
                    Match::NoPath | Match::NoMethod => self.grant.clone(),
                }
            }
            _ => self.grant.clone(),
        }
    }
}

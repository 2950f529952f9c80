//! A request whose head is allowed and whose content has to be looked at.

use std::fmt;

use crate::clauses::{Answers, Question, Terms, Violation, examine, pin};
use crate::request::json::{Json, Keys};
use crate::request::{BodyKind, Head};

use super::{Allowed, Body, Denied, DenyReason, Grant, Judgement};

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
        self.review().unwrap_or_default()
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
            Err(violation) => self.deny(DenyReason::Violation(violation)),
            Ok(open) if self.answers.len() + open.len() > MAX_QUESTIONS => {
                self.deny(DenyReason::TooManyNames)
            }
            Ok(open) if !open.is_empty() => Judgement::Pending(Box::new(self)),
            Ok(_) => {
                let document = match &mut self.body {
                    Unread::Read(document, _) => Some(document),
                    Unread::Opaque(_) | Unread::Waiting(_) | Unread::MustBeEmpty(_) => None,
                };
                pin(&mut self.head, document, &self.answers);
                let body = match self.body {
                    Unread::Opaque(body) => body,
                    Unread::Read(document, length) => Body::Judged(document.to_text_of(length)),
                    // Ruled out above; a body that nobody read is never sent.
                    Unread::Waiting(_) | Unread::MustBeEmpty(_) => Body::None,
                };
                Judgement::Allowed(Allowed { head: self.head, body, grant: self.grant })
            }
        }
    }

    /// Refuses it for a reason that shows outside the judge.
    pub fn deny(self, reason: DenyReason) -> Judgement<B> {
        Judgement::Denied(Box::new(Denied { head: self.head, reason }))
    }

    fn review(&self) -> Result<Vec<Question>, Violation> {
        let document = match &self.body {
            Unread::Read(document, _) => Some(document),
            Unread::Opaque(_) | Unread::Waiting(_) | Unread::MustBeEmpty(_) => None,
        };
        let mut questions = Vec::new();
        for list in &self.terms.lists {
            questions.extend(examine(&self.head, document, &self.terms, list, &self.answers)?);
        }
        questions.sort();
        questions.dedup();
        Ok(questions)
    }
}

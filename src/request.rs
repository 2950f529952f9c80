//! What a client asks for, before its body: method, target, operation and the fields that travel.
//!
//! Pure: text in, values or a reason out. Nothing here knows who asks or what is allowed.

mod end_to_end;
pub mod fields;
mod head;
pub mod json;
mod method;
pub mod operation;
pub mod target;

pub use end_to_end::EndToEndFields;
pub use fields::Fields;
pub use head::Head;
pub use method::Method;
pub use operation::{AnswerKind, BodyKind, ObjectKind, Operation, Parameter, Reading, Upgrade};
pub use target::{ApiVersion, Query, RequestTarget, TargetError};

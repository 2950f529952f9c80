//! What may be looked at may not be changed.
use sockwarden::policy::Allowed;
use sockwarden::request::Method;

fn edit(allowed: Allowed<()>) {
    allowed.head().method = Method::Delete;
}

fn main() {}

//! It may be looked at.
use sockwarden::policy::Allowed;
use sockwarden::request::Method;

fn read(allowed: Allowed<()>) -> Method {
    allowed.head().method
}

fn main() {
    let _ = read;
}

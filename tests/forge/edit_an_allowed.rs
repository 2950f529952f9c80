//! What was judged stays as it was judged.
use sockwarden::policy::Allowed;
use sockwarden::request::Method;

fn edit(mut allowed: Allowed<()>) -> Allowed<()> {
    allowed.head.method = Method::Delete;
    allowed
}

fn main() {}

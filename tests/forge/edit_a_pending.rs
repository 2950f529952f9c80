//! While its body is read, its head stays what was judged.
use sockwarden::policy::Pending;
use sockwarden::request::Method;

fn edit(pending: &mut Pending<()>) {
    pending.head().method = Method::Delete;
}

fn main() {}

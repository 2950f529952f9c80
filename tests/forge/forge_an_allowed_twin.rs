//! The judge does.
use sockwarden::client::Client;
use sockwarden::policy::{Allowed, DeclaredBody, Judgement, Policy};
use sockwarden::request::Head;

fn ask(policy: &Policy, client: &Client, head: Head) -> Option<Allowed<()>> {
    match policy.judge(client, head, DeclaredBody { body: None }) {
        Judgement::Allowed(allowed) => Some(allowed),
        Judgement::Denied(_) => None,
    }
}

fn main() {
    let _ = ask;
}

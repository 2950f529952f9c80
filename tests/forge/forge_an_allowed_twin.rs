//! The judge does.
use sockwarden::client::Client;
use sockwarden::policy::{Allowed, DeclaredBody, Judgement, Policy};
use sockwarden::request::Head;

fn ask(policy: &Policy, client: &Client, head: Head) -> Option<Allowed<()>> {
    match policy.judge(client, None, head, DeclaredBody { body: None }) {
        Judgement::Allowed(allowed) => Some(allowed),
        Judgement::Pending(pending) => match pending.judge() {
            Judgement::Allowed(allowed) => Some(allowed),
            Judgement::Pending(_) | Judgement::Denied(_) => None,
        },
        Judgement::Denied(_) => None,
    }
}

fn main() {
    let _ = ask;
}

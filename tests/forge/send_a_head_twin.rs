//! What was allowed can be sent.
use sockwarden::engine::Link;
use sockwarden::policy::Allowed;
use sockwarden::wire::ClientBody;

async fn send<'a>(link: &'a mut Link, allowed: Allowed<ClientBody<'a>>) {
    let _ = link.send(allowed, None).await;
}

fn main() {
    let _ = send;
}

//! What waits for its body cannot be sent.
use sockwarden::engine::Link;
use sockwarden::policy::Pending;
use sockwarden::wire::ClientBody;

async fn send<'a>(link: &'a mut Link, pending: Pending<ClientBody<'a>>) {
    let _ = link.send(pending, None).await;
}

fn main() {}

//! What waits for its body cannot be sent.
use hyper::body::Incoming;
use sockwarden::engine::Link;
use sockwarden::policy::Pending;

async fn send(link: &mut Link, pending: Pending<Incoming>) {
    let _ = link.send(pending).await;
}

fn main() {}

//! What was allowed can be sent.
use hyper::body::Incoming;
use sockwarden::engine::Link;
use sockwarden::policy::Allowed;

async fn send(link: &mut Link, allowed: Allowed<Incoming>) {
    let _ = link.send(allowed).await;
}

fn main() {
    let _ = send;
}

//! Once its body was read and judged it may be allowed, and then it can.
use hyper::body::Incoming;
use sockwarden::engine::Link;
use sockwarden::policy::{Judgement, Pending};

async fn send(link: &mut Link, mut pending: Pending<Incoming>, bytes: &[u8]) {
    let _unread = pending.take_body();
    if let Judgement::Allowed(allowed) = pending.read(bytes) {
        let _ = link.send(allowed).await;
    }
}

fn main() {
    let _ = send;
}

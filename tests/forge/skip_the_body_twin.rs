//! Once its body was read and judged it may be allowed, and then it can.
use sockwarden::engine::Link;
use sockwarden::policy::{Judgement, Pending};
use sockwarden::wire::ClientBody;

async fn send<'a>(link: &'a mut Link, mut pending: Pending<ClientBody<'a>>, bytes: &[u8]) {
    let _unread = pending.take_body();
    if let Judgement::Allowed(allowed) = pending.read(bytes) {
        let _ = link.send(allowed, None).await;
    }
}

fn main() {
    let _ = send;
}

//! The engine takes what was allowed, and not what was merely read.
use sockwarden::engine::Link;
use sockwarden::request::Head;

async fn send(link: &mut Link, head: Head) {
    let _ = link.send(head, None).await;
}

fn main() {}

//! Nor can anybody else begin one.
use sockwarden::policy::{Body, Grant, Judgement, Pending};
use sockwarden::request::Head;

fn begin(head: Head) -> Judgement<()> {
    Pending::begin(head, Body::None, Grant::Ping, Default::default())
}

fn main() {}

//! Only the judge says yes: nobody else can put an `Allowed` together.
use sockwarden::policy::{Allowed, Body, Grant};
use sockwarden::request::Head;

fn forge(head: Head) -> Allowed<()> {
    Allowed { head, body: Body::None, grant: Grant::Ping, effect: None }
}

fn main() {}

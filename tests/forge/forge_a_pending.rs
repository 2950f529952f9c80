//! A request that waits for its body is made by the judge alone, from a head that it allowed.
use sockwarden::policy::{Grant, Pending};
use sockwarden::request::Head;

fn forge(head: Head, like: Pending<()>) -> Pending<()> {
    Pending { head, grant: Grant::Ping, ..like }
}

fn main() {}

//! Its parts are the engine room's: nobody else takes one apart to put another body behind the head.
use sockwarden::policy::{Allowed, Body};

fn swap(allowed: Allowed<()>) -> Body<()> {
    allowed.into_parts().1
}

fn main() {}

//! Its one door.
use sockwarden::rule::AnchoredRegex;

fn main() {
    assert!(!AnchoredRegex::new("/containers").unwrap().is_match("/containers/json"));
}

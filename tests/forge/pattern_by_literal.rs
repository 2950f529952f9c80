//! Every pattern is anchored: an expression that was compiled elsewhere cannot stand in for one.
use sockwarden::rule::AnchoredRegex;

fn main() {
    let regex = regex::Regex::new("/containers").unwrap();
    let _ = AnchoredRegex { source: String::new(), regex };
}

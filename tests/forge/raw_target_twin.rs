//! What was parsed can.
use sockwarden::request::RequestTarget;

fn main() {
    assert!(RequestTarget::parse("/../info").is_err());
    assert_eq!(RequestTarget::parse("/%69nfo").unwrap().to_wire(), "/info");
}

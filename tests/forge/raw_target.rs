//! A target that was not parsed cannot be printed.
use sockwarden::request::RequestTarget;

fn main() {
    let _ = RequestTarget { version: None, decoded: "/../info".to_owned(), path_start: 0, query: Default::default() };
}

//! What is printed of a request target is read again as the same target, in ASCII without spaces or control bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockwarden::request::RequestTarget;

fuzz_target!(|raw: &str| {
    if let Ok(target) = RequestTarget::parse(raw) {
        let wire = target.to_wire();
        assert!(wire.bytes().all(|byte| byte.is_ascii_graphic()), "{wire:?}");
        assert_eq!(RequestTarget::parse(&wire).as_ref(), Ok(&target), "{wire}");
    }
});

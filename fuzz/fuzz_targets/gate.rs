//! See tests/judge/corpus/gate.rs, which the ordinary tests run on the corpus as well.
#![no_main]

#[path = "../../tests/judge/corpus/gate.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));

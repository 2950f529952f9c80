//! Proof by compile error: programs that try to get past the judge must not compile, each beside a twin that does what it is for.
//!
//! The first run builds the dependencies once more, for the compiler to check the cases against.

/// The messages are those of the compiler that `rust-toolchain.toml` pins; `TRYBUILD=overwrite cargo test --test forge` writes them anew.
#[test]
fn programs_that_cheat_do_not_compile() {
    let cases = trybuild::TestCases::new();
    for cheat in [
        "forge_an_allowed",
        "edit_an_allowed",
        "edit_what_is_shown",
        "swap_an_allowed",
        "send_a_head",
        "forge_a_pending",
        "begin_a_pending",
        "edit_a_pending",
        "skip_the_body",
        "pattern_by_literal",
        "raw_target",
    ] {
        cases.compile_fail(format!("tests/forge/{cheat}.rs"));
    }
    cases.pass("tests/forge/*_twin.rs");
}

//! What a connection may cost, as far as it shows without running one; `.ci/run` measures the rest of `.ci/budgets`.

use std::mem::size_of;

use sockwarden::proxy::Proxy;

const BUDGETS: &str = include_str!("../../.ci/budgets");

/// The most of what this line of the table is about.
fn budget(name: &str) -> usize {
    let line = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    BUDGETS.lines().find_map(line).unwrap_or_else(|| panic!(".ci/budgets has no `{name}`"))
}

/// The size of the future that a function makes.
fn future_of<A, B, C, D, E, F: Future>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
    size_of::<F>()
}

/// It is most of what a quiet stream takes, and a value that lives across one more `await` adds to it unseen.
#[test]
fn the_task_of_a_connection_stays_small() {
    let (bytes, most) = (future_of(Proxy::serve), budget("connection_task_bytes"));
    assert!(bytes <= most, "{bytes} bytes, at most {most}; box what is rare, or raise the budget");
    assert!(bytes > most / 2, "{bytes} bytes; lower the budget of {most}");
}

# The short names of things. Each recipe is the plain command below it.

# lists this
default:
    @just --list

# format, lints, documentation, tests, dependencies
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo test
    cargo deny check

# shell scripts
shell:
    shellcheck quickstart .ci/run e2e/engines e2e/matrix

# real clients on a real engine
e2e *args:
    RUST_TEST_THREADS=$(nproc) cargo test --locked -p sockwarden-e2e {{ args }}

# a demonstration, with containers if an engine answers
quickstart:
    ./quickstart

# the static release binary and the image
image tag="sockwarden" target=`rustc -vV | sed -n 's/^host: //p'`:
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target {{ target }}
    docker build --build-arg BINARY=target/{{ target }}/release/sockwarden -t {{ tag }} .

# everything that goes wrong, mixed, for so many minutes
soak minutes="1":
    cargo build --release --locked
    cargo run --release --locked -p sockwarden-soak -- -minutes {{ minutes }}

# whether the sandbox keeps the system calls that serving makes, and no other; needs strace
calls:
    cargo build --release --locked
    cargo build --locked -p sockwarden-soak
    .ci/system_calls target/release/sockwarden target/debug/sockwarden-soak

# a fuzz target (the names are those in fuzz/fuzz_targets) for so many seconds; needs nightly and cargo-fuzz
fuzz name seconds="60":
    mkdir -p target/fuzz/{{ name }}
    cargo +nightly fuzz run {{ name }} target/fuzz/{{ name }} fuzz/corpus/{{ name }} -- -max_total_time={{ seconds }}

# whether the fuzz targets still build
fuzz-check:
    cd fuzz && cargo +nightly check

# prints docs/reference.md and other snapshots anew
update:
    UPDATE_EXPECT=1 cargo test

# everything that CI runs
ci:
    bash .ci/run
